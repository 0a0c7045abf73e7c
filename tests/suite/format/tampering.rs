//! Tampered payloads release no altered plaintext.

use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::sealed::{
    HEADER_SIZE, Header, Layout, OpenError, OpenStream, Opener, SEGMENT_SIZE, TAG_SIZE,
};
use zeroize::Zeroizing;

use super::{content, open_all, open_pieces, seal_all};

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

    /// Checks that `sealed` is rejected, with and without a known size. Exactly the plaintext of the first `untouched`
    /// segments must be released.
    fn check_rejected(&self, what: &str, sealed: &[u8], untouched: usize) {
        let known = Layout::of_sealed(sealed.len() as u64).unwrap_or(self.layout);
        for stream in [OpenStream::new(self.key.clone()), OpenStream::with_layout(self.key.clone(), known)] {
            let (released, result) = open_pieces(stream, sealed.chunks(700_000));
            assert!(result.is_err(), "{what} opened");
            assert!(released == self.prefix(untouched), "{what}: {} bytes released", released.len());
        }
    }
}

#[test]
fn truncated_payloads_are_rejected() {
    let original = Original::new();
    let (one, two, all) = (SEGMENT_SIZE, 2 * SEGMENT_SIZE, original.sealed.len());
    for length in [0, 1, 39, 40, 41, 55, 56, 57, 1_000, one - 1, one] {
        original.check_rejected(&format!("truncated to {length}"), &original.sealed[..length], 0);
    }
    for length in [one + 1, one + 15, one + 16, one + 17, two - 1, two] {
        original.check_rejected(&format!("truncated to {length}"), &original.sealed[..length], 1);
    }
    for length in [two + 1, two + 15, two + 16, two + 17, all - TAG_SIZE, all - 1] {
        original.check_rejected(&format!("truncated to {length}"), &original.sealed[..length], 2);
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
fn extended_payloads_are_rejected() {
    let original = Original::new();
    for extra in [1, 16, 17, 1_000] {
        let extended = [original.sealed.as_slice(), &vec![0; extra]].concat();
        original.check_rejected(&format!("extended by {extra}"), &extended, 2);
        // With the correct size known, the last segment decrypts, but the payload as a whole is still rejected.
        let stream = OpenStream::with_layout(original.key.clone(), original.layout);
        let (released, result) = open_pieces(stream, [extended.as_slice()]);
        assert_eq!(result, Err(OpenError::Extended));
        assert!(released == original.plaintext);
    }
    let twice = [original.sealed.as_slice(), &original.sealed].concat();
    original.check_rejected("sent twice", &twice, 2);
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
fn reordered_and_foreign_segments_are_rejected() {
    let original = Original::new();
    let (first, rest) = original.sealed.split_at(SEGMENT_SIZE);
    let (second, last) = rest.split_at(SEGMENT_SIZE);
    original.check_rejected("first segments swapped", &[second, first, last].concat(), 0);
    original.check_rejected("last segments swapped", &[first, last, second].concat(), 1);
    original.check_rejected("middle segment left out", &[first, last].concat(), 1);
    original.check_rejected("first segment left out", &[second, last].concat(), 0);
    original.check_rejected("middle segment repeated", &[first, second, second, last].concat(), 2);

    let other = seal_all(&original.key, &original.plaintext);
    original.check_rejected(
        "middle segment of another payload",
        &[first, &other[SEGMENT_SIZE..2 * SEGMENT_SIZE], last].concat(),
        1,
    );
    original.check_rejected(
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
        original.check_rejected(&format!("bit flipped at {position}"), &flipped, untouched);
    }
}

#[test]
fn a_wrong_key_releases_nothing() {
    let original = Original::new();
    let other = Original { key: PayloadKey::random(), ..original };
    other.check_rejected("wrong key", &other.sealed, 0);
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
fn segments_of_wrong_sizes_are_rejected() {
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
