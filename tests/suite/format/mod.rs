//! The encrypted payload format, checked against test vectors, against Tink, and against tampering.

mod age_testkit;
mod pieces;
mod tampering;
mod tink;
mod vectors;

use std::ops::Range;

use sgsend::domain::crypto::envelope;
use sgsend::domain::crypto::envelope::Metadata;
use sgsend::domain::crypto::key::{LinkKey, PayloadKey};
use sgsend::domain::crypto::passphrase::Passphrase;
use sgsend::domain::crypto::sealed::{HEADER_SIZE, Layout, OpenError, OpenStream, SEGMENT_SIZE, Sealer, header_bytes};

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
    text.parse::<LinkKey>().unwrap().unlock(None).unwrap().into_own().unwrap()
}

#[test]
fn a_file_round_trips_in_its_envelope() {
    let key = LinkKey::random_with_passphrase();
    let passphrase = Passphrase::new("correct horse").unwrap();
    let metadata = Metadata {
        filename: "a b.txt".into(),
        size: 7,
        content_type: None,
        modified_ms: Some(0),
        archive: None,
        mode: None,
        signed: false,
    };
    let mut segment = Sealer::buffer(0);
    assert_eq!(segment.len(), header_bytes(0));
    segment.extend_from_slice(&envelope::encode(&metadata).unwrap());
    segment.extend_from_slice(b"content");
    Sealer::new(&key.unlock(Some(&passphrase)).unwrap().into_own().unwrap()).seal(0, true, &mut segment);

    let second: LinkKey = key.to_text().parse().unwrap();
    let (plaintext, result) = open_all(&second.unlock(Some(&passphrase)).unwrap().into_own().unwrap(), &segment);
    assert_eq!(result, Ok(()));
    let envelope = envelope::decode(&plaintext).unwrap().unwrap();
    assert_eq!(envelope.metadata, metadata);
    assert_eq!(&plaintext[envelope.length..], b"content");
    let wrong = Passphrase::new("correct house").unwrap();
    assert!(open_all(&second.unlock(Some(&wrong)).unwrap().into_own().unwrap(), &segment).1.is_err());
}
