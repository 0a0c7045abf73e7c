//! Objects as they lie in a bucket: content with a trail behind it.
//!
//! The first line of the input is what the object's metadata say of its content: a length, or nothing. The rest is the
//! object.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sgsend::server::fuzzing::stored_object;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let length = str::from_utf8(&input[..end]).ok().and_then(|length| length.parse().ok());
    let body = Bytes::copy_from_slice(&input[end + 1..]);
    let Some((content, records, written)) = stored_object(&body, length) else {
        assert!(length.is_some(), "an object without a trail is content, whatever it is");
        return;
    };
    assert_eq!(content, body[..length.unwrap_or(body.len())]);
    assert!(records.iter().all(|(_, value)| value.len() <= body.len()));
    let again = stored_object(&written, length.map(|_| content.len())).expect("it was just written");
    assert_eq!(again, (content, records, written));
});
