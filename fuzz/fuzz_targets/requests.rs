//! Parsers for JSON request bodies: an accepted value keeps every member of the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sgsend::domain::wire::{
    AddEvent, CompleteUpload, CreateToken, CreateTransfer, DownloadRequest, Empty, PartNumbers,
};
use sgsend::server::fuzzing::json_body;
use sgsend_fuzz::{assert_keeps_members, assert_round_trip};

fn check<T: Serialize + DeserializeOwned + PartialEq>(body: &[u8]) {
    if let Some(value) = json_body::<T>(body) {
        assert_round_trip(&value);
        assert_keeps_members(body, &value);
    }
}

fuzz_target!(|body: &[u8]| {
    check::<CreateTransfer>(body);
    check::<PartNumbers>(body);
    check::<CompleteUpload>(body);
    check::<DownloadRequest>(body);
    check::<AddEvent>(body);
    check::<CreateToken>(body);
    check::<Empty>(body);
});
