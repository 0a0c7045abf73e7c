//! Decryption of arbitrary payloads with the keys of the test vectors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::domain::crypto::key::{LinkKey, PayloadKey};
use sgsend::domain::crypto::sealed::{Header, Layout, OpenError, OpenStream, SEGMENT_SIZE, Sealer};

/// Keys of `tests/vectors/vectors.json`.
const KEYS: [&str; 4] = [
    "metvQDwaLVBQlr2gn0AflIvQQzWTa0ZmNzbdPCnLBLQ",
    "5QiWNwdY4dL19DrnWO8JnMKu7Nsw7On-Oux0CNDvzJg",
    "B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E",
    "ERLIDzblYc_mHxBwh16Bg49vDc4_zlZLiYyBBBrFCqc",
];

fn open(mut stream: OpenStream, payload: &[u8], piece: usize) -> Result<Vec<u8>, OpenError> {
    let mut plaintext = Vec::new();
    for mut piece in payload.chunks(piece) {
        while let Some(opened) = stream.push(&mut piece)? {
            plaintext.extend_from_slice(opened);
        }
    }
    plaintext.extend_from_slice(stream.finish()?);
    Ok(plaintext)
}

/// Encrypts a plaintext; key, header and plaintext determine the payload.
fn seal(key: &PayloadKey, header: Header, plaintext: &[u8]) -> Vec<u8> {
    let layout = Layout::of_plaintext(plaintext.len() as u64).expect("the plaintext came from a payload");
    let sealer = Sealer::from_header(key, header);
    let mut payload = Vec::new();
    for index in 0..=layout.last_index() {
        let range = layout.plaintext_range(index);
        let mut segment = Sealer::buffer(index);
        segment
            .extend_from_slice(&plaintext[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]);
        sealer.seal(index, layout.is_last(index), &mut segment);
        payload.extend_from_slice(&segment);
    }
    payload
}

fuzz_target!(|payload: &[u8]| {
    let header = payload.get(..40).and_then(|header| Header::parse(header).ok());
    if let Some(header) = &header {
        assert_eq!(header.as_bytes()[..], payload[..40]);
    }
    let mut decrypting_keys = 0;
    for key in KEYS {
        let key: LinkKey = key.parse().expect("the key is valid");
        let secret = key.unlock(None).expect("the key needs no passphrase");
        let key = secret.into_own().expect("the key of an own link");
        let whole = open(OpenStream::new(key.clone()), payload, SEGMENT_SIZE);
        assert_eq!(open(OpenStream::new(key.clone()), payload, 7), whole, "the result depends on the piece size");
        match Layout::of_sealed(payload.len() as u64) {
            Ok(layout) => {
                let known = open(OpenStream::with_layout(key.clone(), layout), payload, SEGMENT_SIZE);
                assert_eq!(known.as_ref().ok(), whole.as_ref().ok(), "the result depends on the layout being known");
            }
            Err(_) => assert!(whole.is_err(), "a payload with an impossible size was accepted"),
        }
        if let Ok(plaintext) = whole {
            let header = header.clone().expect("a decrypted payload has a header");
            assert!(seal(&key, header, &plaintext) == payload, "the payload differs from a sender's payload");
            decrypting_keys += 1;
        }
    }
    assert!(decrypting_keys <= 1, "two keys decrypt the same payload");
});
