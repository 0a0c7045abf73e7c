//! Envelope parser: metadata at the start of a plaintext.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::domain::crypto::envelope::{MAX_ENVELOPE_BYTES, decode, encode};

fuzz_target!(|plaintext: &[u8]| {
    // A result from a prefix of the plaintext must not change with more data.
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
    assert!(matches!(decode(&plaintext[..envelope.length - 1]), Ok(None)), "an incomplete envelope was accepted");
    let content = (plaintext.len() - envelope.length) as u64;
    let fits = envelope.check_plaintext_size(plaintext.len() as u64);
    // Further bytes are padding.
    assert_eq!(fits.is_ok(), content >= envelope.metadata.size);
    // JSON escapes can make the envelope longer than before, and so too large.
    if let Ok(written) = encode(&envelope.metadata) {
        let reparsed = decode(&written).expect("a written envelope can be parsed").expect("the envelope is complete");
        assert_eq!((reparsed.metadata, reparsed.length), (envelope.metadata, written.len()));
    }
});
