//! Parser for mutable objects in a bucket: content with a write log after it.
//!
//! The first line of the input is the content length in the object's metadata, or empty for none. The rest is the
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
        assert!(length.is_some(), "an object without a write log was rejected");
        return;
    };
    assert_eq!(content, body[..length.unwrap_or(body.len())]);
    assert!(records.iter().all(|(_, value)| value.len() <= body.len()));
    let reparsed = stored_object(&written, length.map(|_| content.len())).expect("a written object can be parsed");
    assert_eq!(reparsed, (content, records, written));
});
