//! The encrypted payload format, checked against test vectors, against Tink, and against tampering.

#![allow(clippy::unwrap_used, reason = "the helpers outside test functions are test code, too")]

#[path = "support/tink.rs"]
mod other;

use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use sgsend::domain::crypto::digest::Sha256;
use sgsend::domain::crypto::envelope;
use sgsend::domain::crypto::envelope::Metadata;
use sgsend::domain::crypto::key::{LinkKey, PayloadKey};
use sgsend::domain::crypto::passphrase::Passphrase;
use sgsend::domain::crypto::proof::AccessProof;
use sgsend::domain::crypto::sealed::{
    HEADER_SIZE, Header, Layout, OpenError, OpenStream, Opener, SEGMENT_SIZE, Sealer, TAG_SIZE, header_bytes,
};
use sgsend::domain::link::Link;
use zeroize::Zeroizing;

/// Plaintext sizes around the changes of the segment count, in bytes.
const SIZES: [usize; 6] = [0, 1, 1_048_520, 1_048_521, 2_097_080, 2_097_081];

/// Returns pseudo-random bytes, cheap to generate and without a period that could hide errors.
fn content(size: usize) -> Vec<u8> {
    (0u64..)
        .flat_map(|word| (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (word << 7)).to_le_bytes())
        .take(size)
        .collect()
}

/// Returns the part of `bytes` in `range`.
fn part(bytes: &[u8], range: Range<u64>) -> &[u8] {
    &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

fn seal_all(key: &PayloadKey, plaintext: &[u8]) -> Vec<u8> {
    let layout = Layout::of_plaintext(plaintext.len() as u64).unwrap();
    let sealer = Sealer::new(key);
    let mut payload = Vec::new();
    for index in 0..=layout.last_index() {
        let mut segment = Sealer::buffer(index);
        segment.extend_from_slice(part(plaintext, layout.plaintext_range(index)));
        let tag = sealer.seal(index, layout.is_last(index), &mut segment);
        assert!(segment.ends_with(tag.as_bytes()));
        assert_eq!(segment.capacity(), SEGMENT_SIZE, "the buffer was reallocated");
        payload.extend_from_slice(&segment);
    }
    assert_eq!(payload.len() as u64, layout.sealed_size());
    assert_eq!(&payload[..HEADER_SIZE], sealer.header().as_bytes());
    payload
}

/// Decrypts a payload that arrives in pieces; returns the released plaintext and the final result.
fn open_pieces<'p>(
    mut stream: OpenStream,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (Vec<u8>, Result<(), OpenError>) {
    let mut released = Vec::new();
    let mut result = Ok(());
    for mut piece in pieces {
        loop {
            match stream.push(&mut piece) {
                Ok(Some(plaintext)) => released.extend_from_slice(plaintext),
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
    }
    let finish = stream.finish().map(|plaintext| released.extend_from_slice(plaintext));
    if result.is_err() {
        assert_eq!(finish, result, "the error changed");
    }
    (released, finish)
}

fn open_all(key: &PayloadKey, sealed: &[u8]) -> (Vec<u8>, Result<(), OpenError>) {
    open_pieces(OpenStream::new(key.clone()), sealed.chunks(300_000))
}

fn payload_key(text: &str) -> PayloadKey {
    text.parse::<LinkKey>().unwrap().payload_key(None).unwrap()
}

mod vectors {
    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Payload>,
        links: Vec<SharedLink>,
    }

    #[derive(Deserialize)]
    struct Payload {
        file: String,
        key: String,
        plaintext_length: u64,
        plaintext_sha256: String,
    }

    #[derive(Deserialize)]
    struct SharedLink {
        link: String,
        root: String,
        transfer_id: String,
        key: String,
        passphrase: Option<String>,
        payload_key: Option<String>,
        sealed: String,
        filename: Option<String>,
        content: Option<String>,
        access_proof: String,
        access_sha256: String,
    }

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
    }

    fn vectors() -> Vectors {
        serde_json::from_slice(&file("vectors.json")).unwrap()
    }

    #[test]
    fn payloads_open() {
        for vector in vectors().vectors {
            let sealed = file(&vector.file);
            let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
            assert_eq!(layout.plaintext_size(), vector.plaintext_length, "{}", vector.file);
            let key = payload_key(&vector.key);
            for stream in [OpenStream::new(key.clone()), OpenStream::with_layout(key, layout)] {
                let (plaintext, result) = open_pieces(stream, [sealed.as_slice()]);
                assert_eq!(result, Ok(()), "{}", vector.file);
                assert_eq!(plaintext.len() as u64, vector.plaintext_length);
                assert_eq!(Sha256::of(&plaintext).to_string(), vector.plaintext_sha256, "{}", vector.file);
            }
        }
    }

    #[test]
    fn payloads_are_sealed_again_to_the_same_bytes() {
        for vector in vectors().vectors {
            let payload = file(&vector.file);
            let key = payload_key(&vector.key);
            let (plaintext, _) = open_all(&key, &payload);
            let layout = Layout::of_sealed(payload.len() as u64).unwrap();
            let sealer = Sealer::from_header(&key, Header::parse(&payload[..HEADER_SIZE]).unwrap());
            for index in 0..=layout.last_index() {
                let mut segment = Sealer::buffer(index);
                segment.extend_from_slice(part(&plaintext, layout.plaintext_range(index)));
                sealer.seal(index, layout.is_last(index), &mut segment);
                assert!(segment == part(&payload, layout.sealed_range(index)), "{} segment {index}", vector.file);
            }
        }
    }

    #[test]
    fn links_are_read_and_open_their_payloads() {
        for vector in vectors().links {
            let link: Link = vector.link.parse().unwrap();
            assert_eq!(link.base_url.to_string(), vector.root);
            assert_eq!(link.transfer_id.to_string(), vector.transfer_id);
            assert_eq!(*link.to_text(), vector.link);
            assert_eq!(link.without_key(), format!("{}/d/{}", vector.root, vector.transfer_id));

            let key = link.key.unwrap();
            assert_eq!(key.needs_passphrase(), vector.passphrase.is_some());
            let passphrase = vector.passphrase.map(|text| Passphrase::from_file_text(&format!("{text}\n")).unwrap());
            let key = key.payload_key(passphrase.as_ref()).unwrap();
            assert_eq!(key.as_bytes(), payload_key(&vector.payload_key.unwrap_or(vector.key)).as_bytes());

            let proof = AccessProof::of(&key);
            assert_eq!(*proof.to_text(), vector.access_proof);
            assert_eq!(proof.digest().to_string(), vector.access_sha256);

            let (plaintext, result) = open_all(&key, &file(&vector.sealed));
            assert_eq!(result, Ok(()));
            let envelope = envelope::decode(&plaintext).unwrap().unwrap();
            envelope.check_plaintext_size(plaintext.len() as u64).unwrap();
            if let (Some(filename), Some(content)) = (vector.filename, vector.content) {
                assert_eq!(envelope.metadata.filename, filename);
                assert_eq!(&plaintext[envelope.length..], content.as_bytes());
            }
        }
    }
}

mod tink {
    use super::other::{tink_open, tink_seal};
    use super::*;

    fn check(size: usize) {
        let (key, plaintext) = (PayloadKey::random(), content(size));
        assert!(tink_open(&key, seal_all(&key, &plaintext)) == plaintext, "Tink can't decrypt {size} bytes");
        let (opened, result) = open_all(&key, &tink_seal(&key, &plaintext));
        assert_eq!(result, Ok(()));
        assert!(opened == plaintext, "{size} bytes encrypted by Tink can't be decrypted");
    }

    #[test]
    fn tink_and_this_crate_open_each_others_payloads() {
        SIZES.into_iter().for_each(check);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn of_any_size(size in prop_oneof![0..3_000usize, 1_048_000..1_049_000usize, 0..400_000usize]) {
            check(size);
        }
    }
}

mod tampering {
    use super::*;

    const SEGMENTS: usize = 3;
    const LAST_SEGMENT_SIZE: usize = 100;

    /// A payload of two full segments and a short segment, used for tampering.
    struct Original {
        key: PayloadKey,
        plaintext: Vec<u8>,
        sealed: Vec<u8>,
        layout: Layout,
    }

    impl Original {
        fn new() -> Self {
            let key = PayloadKey::random();
            let layout = Layout::of_sealed(((SEGMENTS - 1) * SEGMENT_SIZE + LAST_SEGMENT_SIZE) as u64).unwrap();
            let plaintext = content(usize::try_from(layout.plaintext_size()).unwrap());
            let sealed = seal_all(&key, &plaintext);
            Self { key, plaintext, sealed, layout }
        }

        /// Returns the plaintext of the first `segments` segments.
        fn prefix(&self, segments: usize) -> &[u8] {
            let end =
                segments.checked_sub(1).map_or(0, |last| self.layout.plaintext_range(u32::try_from(last).unwrap()).end);
            &self.plaintext[..usize::try_from(end).unwrap()]
        }

        /// Checks that `sealed` is rejected, with and without a known size, and that exactly the plaintext of the first
        /// `untouched` segments is released.
        fn refused(&self, what: &str, sealed: &[u8], untouched: usize) {
            let known = Layout::of_sealed(sealed.len() as u64).unwrap_or(self.layout);
            for stream in [OpenStream::new(self.key.clone()), OpenStream::with_layout(self.key.clone(), known)] {
                let (released, result) = open_pieces(stream, sealed.chunks(700_000));
                assert!(result.is_err(), "{what} opened");
                assert!(released == self.prefix(untouched), "{what}: {} bytes released", released.len());
            }
        }
    }

    #[test]
    fn truncated_payloads_are_refused() {
        let original = Original::new();
        let (one, two, all) = (SEGMENT_SIZE, 2 * SEGMENT_SIZE, original.sealed.len());
        for length in [0, 1, 39, 40, 41, 55, 56, 57, 1_000, one - 1, one] {
            original.refused(&format!("truncated to {length}"), &original.sealed[..length], 0);
        }
        for length in [one + 1, one + 15, one + 16, one + 17, two - 1, two] {
            original.refused(&format!("truncated to {length}"), &original.sealed[..length], 1);
        }
        for length in [two + 1, two + 15, two + 16, two + 17, all - TAG_SIZE, all - 1] {
            original.refused(&format!("truncated to {length}"), &original.sealed[..length], 2);
        }
    }

    #[test]
    fn truncation_is_detected_against_the_announced_size() {
        let original = Original::new();
        for (length, segments) in
            [(0, 0), (56, 0), (SEGMENT_SIZE, 1), (2 * SEGMENT_SIZE, 2), (original.sealed.len() - 1, 2)]
        {
            let stream = OpenStream::with_layout(original.key.clone(), original.layout);
            let (released, result) = open_pieces(stream, [&original.sealed[..length]]);
            assert_eq!(result, Err(OpenError::Truncated), "{length}");
            assert!(released == original.prefix(segments));
        }
    }

    #[test]
    fn extended_payloads_are_refused() {
        let original = Original::new();
        for extra in [1, 16, 17, 1_000] {
            let extended = [original.sealed.as_slice(), &vec![0; extra]].concat();
            original.refused(&format!("extended by {extra}"), &extended, 2);
            // With the correct size known, the last segment decrypts, but the payload as a whole is still rejected.
            let stream = OpenStream::with_layout(original.key.clone(), original.layout);
            let (released, result) = open_pieces(stream, [extended.as_slice()]);
            assert_eq!(result, Err(OpenError::Extended));
            assert!(released == original.plaintext);
        }
        let twice = [original.sealed.as_slice(), &original.sealed].concat();
        original.refused("sent twice", &twice, 2);
    }

    #[test]
    fn a_full_last_segment_is_not_followed_by_another() {
        let key = PayloadKey::random();
        let sealed = seal_all(&key, &content(1_048_520));
        assert_eq!(sealed.len(), SEGMENT_SIZE);
        for extra in [&[0; 16][..], &[0; 17], &sealed[HEADER_SIZE..]] {
            let (released, result) = open_all(&key, &[sealed.as_slice(), extra].concat());
            assert_eq!((released.len(), result), (0, Err(OpenError::Unauthentic { index: 0 })));
        }
    }

    #[test]
    fn reordered_and_foreign_segments_are_refused() {
        let original = Original::new();
        let (first, rest) = original.sealed.split_at(SEGMENT_SIZE);
        let (second, last) = rest.split_at(SEGMENT_SIZE);
        original.refused("first segments swapped", &[second, first, last].concat(), 0);
        original.refused("last segments swapped", &[first, last, second].concat(), 1);
        original.refused("middle segment left out", &[first, last].concat(), 1);
        original.refused("first segment left out", &[second, last].concat(), 0);
        original.refused("middle segment repeated", &[first, second, second, last].concat(), 2);

        let other = seal_all(&original.key, &original.plaintext);
        original.refused(
            "middle segment of another payload",
            &[first, &other[SEGMENT_SIZE..2 * SEGMENT_SIZE], last].concat(),
            1,
        );
        original.refused(
            "header of another payload",
            &[&other[..HEADER_SIZE], &original.sealed[HEADER_SIZE..]].concat(),
            0,
        );
    }

    #[test]
    fn flipped_bits_are_detected() {
        let original = Original::new();
        let (one, two, all) = (SEGMENT_SIZE, 2 * SEGMENT_SIZE, original.sealed.len());
        for (position, untouched) in [
            (0, 0),
            (1, 0),
            (32, 0),
            (33, 0),
            (39, 0),
            (40, 0),
            (one - TAG_SIZE, 0),
            (one - 1, 0),
            (one, 1),
            (two - TAG_SIZE - 1, 1),
            (two - 1, 1),
            (two, 2),
            (all - TAG_SIZE, 2),
            (all - 1, 2),
        ] {
            let mut flipped = original.sealed.clone();
            flipped[position] ^= 1 << (position % 8);
            original.refused(&format!("bit flipped at {position}"), &flipped, untouched);
        }
    }

    #[test]
    fn a_wrong_key_releases_nothing() {
        let original = Original::new();
        let other = Original { key: PayloadKey::random(), ..original };
        other.refused("wrong key", &other.sealed, 0);
        let mut bytes = Zeroizing::new([0; 32]);
        bytes[31] = 1;
        let (released, result) = open_all(&PayloadKey::from_bytes(bytes), &other.sealed[..200]);
        assert_eq!((released.len(), result), (0, Err(OpenError::Unauthentic { index: 0 })));
    }

    #[test]
    fn other_files_are_rejected() {
        let (released, result) = open_all(&PayloadKey::random(), &content(5_000));
        assert_eq!(released.len(), 0);
        assert!(matches!(result, Err(OpenError::Header(_))));
    }

    #[test]
    fn a_segment_that_fails_to_decrypt_is_cleared() {
        let original = Original::new();
        let opener = Opener::new(&original.key, Header::parse(&original.sealed[..HEADER_SIZE]).unwrap());
        let mut segment = original.sealed[SEGMENT_SIZE..2 * SEGMENT_SIZE].to_vec();
        for (index, last) in [(0, false), (1, true), (2, false), (u32::MAX, true)] {
            let mut copy = segment.clone();
            assert_eq!(opener.open(index, last, &mut copy), Err(OpenError::Unauthentic { index }));
            assert!(copy.iter().all(|byte| *byte == 0));
        }
        assert!(
            opener.open(1, false, &mut segment).unwrap()
                == &original.plaintext[original.prefix(1).len()..original.prefix(2).len()]
        );
    }

    #[test]
    fn segments_of_wrong_sizes_are_refused() {
        let original = Original::new();
        let opener = Opener::new(&original.key, Header::parse(&original.sealed[..HEADER_SIZE]).unwrap());
        for (index, last, size, error) in [
            (0, true, 0, OpenError::Truncated),
            (0, true, 55, OpenError::Truncated),
            (1, true, 15, OpenError::Truncated),
            (1, true, 16, OpenError::Truncated),
            (1, false, SEGMENT_SIZE - 1, OpenError::Truncated),
            (1, true, SEGMENT_SIZE + 1, OpenError::Extended),
        ] {
            assert_eq!(opener.open(index, last, &mut vec![0; size]), Err(error), "{index} {last} {size}");
        }
    }
}

mod pieces {
    use super::*;

    #[test]
    fn of_every_boundary_size() {
        for size in SIZES {
            let (key, plaintext) = (PayloadKey::random(), content(size));
            let sealed = seal_all(&key, &plaintext);
            let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
            for piece in [777, 65_536, SEGMENT_SIZE, usize::MAX] {
                for stream in [OpenStream::new(key.clone()), OpenStream::with_layout(key.clone(), layout)] {
                    let (opened, result) = open_pieces(stream, sealed.chunks(piece));
                    assert_eq!(result, Ok(()), "{size} bytes in pieces of {piece}");
                    assert!(opened == plaintext);
                }
            }
        }
    }

    #[test]
    fn of_known_size_release_the_last_segment_at_once() {
        let key = PayloadKey::random();
        let sealed = seal_all(&key, b"content");
        let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
        let mut stream = OpenStream::with_layout(key, layout);
        for mut byte in sealed[..sealed.len() - 1].chunks(1) {
            assert_eq!(stream.push(&mut byte), Ok(None));
        }
        assert_eq!(stream.push(&mut &sealed[sealed.len() - 1..]), Ok(Some(b"content".as_slice())));
        assert_eq!(stream.opened_segments(), 1);
        assert_eq!(stream.header().unwrap().as_bytes(), &sealed[..HEADER_SIZE]);
        assert_eq!(stream.push(&mut [].as_slice()), Ok(None));
        assert_eq!(stream.finish(), Ok([].as_slice()));
        assert_eq!(stream.push(&mut [0].as_slice()), Err(OpenError::Extended));
        assert_eq!(stream.finish(), Err(OpenError::Extended));
    }

    #[test]
    fn resume_where_they_were_interrupted() {
        let (key, plaintext) = (PayloadKey::random(), content(2_097_081));
        let sealed = seal_all(&key, &plaintext);
        let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
        for opened in 0..=layout.segments() {
            let header = Header::parse(&sealed[..HEADER_SIZE]).unwrap();
            let stream = OpenStream::resume(Opener::new(&key, header), layout, opened);
            let index = u32::try_from(opened).unwrap();
            let from = usize::try_from(layout.sealed_range(index).start).unwrap();
            let (rest, result) = open_pieces(stream, sealed[from..].chunks(100_000));
            assert_eq!(result, Ok(()), "after {opened} segments");
            assert!(rest == plaintext[usize::try_from(layout.plaintext_range(index).start).unwrap()..]);
        }
    }

    proptest! {
        #[test]
        fn of_any_cut(size in 0..2_000usize, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8), known: bool) {
            let (key, plaintext) = (PayloadKey::random(), content(size));
            let sealed = seal_all(&key, &plaintext);
            let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(sealed.len() + 1)).collect();
            cuts.extend([0, sealed.len()]);
            cuts.sort_unstable();
            let stream = if known { OpenStream::with_layout(key, layout) } else { OpenStream::new(key) };
            let (opened, result) = open_pieces(stream, cuts.windows(2).map(|cut| &sealed[cut[0]..cut[1]]));
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(opened, plaintext);
        }

        #[test]
        fn of_foreign_bytes_release_nothing(bytes: Vec<u8>, with_header: bool) {
            let mut sealed = if with_header { Header::random().as_bytes().to_vec() } else { Vec::new() };
            sealed.extend_from_slice(&bytes);
            let (released, result) = open_all(&PayloadKey::random(), &sealed);
            prop_assert!(released.is_empty() && result.is_err());
        }
    }
}

#[test]
fn a_file_round_trips_in_its_envelope() {
    let key = LinkKey::random_with_passphrase();
    let passphrase = Passphrase::new("correct horse").unwrap();
    let metadata =
        Metadata { filename: "a b.txt".into(), size: 7, content_type: None, modified_ms: Some(0), archive: None };
    let mut segment = Sealer::buffer(0);
    assert_eq!(segment.len(), header_bytes(0));
    segment.extend_from_slice(&envelope::encode(&metadata).unwrap());
    segment.extend_from_slice(b"content");
    Sealer::new(&key.payload_key(Some(&passphrase)).unwrap()).seal(0, true, &mut segment);

    let again: LinkKey = key.to_text().parse().unwrap();
    let (plaintext, result) = open_all(&again.payload_key(Some(&passphrase)).unwrap(), &segment);
    assert_eq!(result, Ok(()));
    let envelope = envelope::decode(&plaintext).unwrap().unwrap();
    assert_eq!(envelope.metadata, metadata);
    assert_eq!(&plaintext[envelope.length..], b"content");
    let wrong = Passphrase::new("correct house").unwrap();
    assert!(open_all(&again.payload_key(Some(&wrong)).unwrap(), &segment).1.is_err());
}
