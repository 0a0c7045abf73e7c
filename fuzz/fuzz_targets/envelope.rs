//! Envelopes at the front of a plaintext, and the names in them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::domain::crypto::envelope::{MAX_ENVELOPE_BYTES, decode, encode};

fuzz_target!(|plaintext: &[u8]| {
    // What was refused is refused whatever follows, and what was read stays as it was.
    let middle = plaintext.len() / 2;
    for cut in (0..plaintext.len().min(16)).chain([middle]) {
        match (decode(&plaintext[..cut]), decode(plaintext)) {
            (Ok(None), _) | (Err(_), Err(_)) => {}
            (Ok(Some(before)), Ok(Some(after))) => assert_eq!(before, after),
            (before, after) => panic!("{before:?} became {after:?}"),
        }
    }
    let Ok(Some(envelope)) = decode(plaintext) else { return };
    assert!(envelope.length <= plaintext.len() && envelope.length <= MAX_ENVELOPE_BYTES);
    assert!(matches!(decode(&plaintext[..envelope.length - 1]), Ok(None)), "it was read before it was there");
    let content = (plaintext.len() - envelope.length) as u64;
    let fits = envelope.check_plaintext_size(plaintext.len() as u64);
    assert_eq!(fits.is_ok(), content == envelope.metadata.size);
    // JSON escapes can make it longer than it was, so that it does not fit any more.
    if let Ok(written) = encode(&envelope.metadata) {
        let again = decode(&written).expect("it was just written").expect("it is whole");
        assert_eq!((again.metadata, again.length), (envelope.metadata, written.len()));
    }
});
