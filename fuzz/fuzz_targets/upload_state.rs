//! Parser for upload state files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::client::upload::UploadState;
use sgsend::domain::crypto::sealed::TAG_SIZE;

/// Alignment of the tags in bytes.
const BLOCK: usize = 4_096;

fuzz_target!(|bytes: &[u8]| {
    let Ok((state, tags)) = UploadState::parse(bytes) else { return };
    assert!(tags.len() * TAG_SIZE <= bytes.len().saturating_sub(BLOCK));
    assert!(tags.iter().flatten().all(|tag| *tag.as_bytes() != [0; TAG_SIZE]));

    let mut written = serde_json::to_vec(&state).expect("a parsed state can be serialised");
    written.push(b'\n');
    written.resize(written.len().next_multiple_of(BLOCK), b' ');
    written.extend(tags.iter().flat_map(|tag| tag.map_or([0; TAG_SIZE], |tag| *tag.as_bytes())));
    let (again, same) = UploadState::parse(&written).expect("a serialised state can be parsed");
    assert!(same == tags && serde_json::to_value(&again).ok() == serde_json::to_value(&state).ok());
});
