//! Parsers for JSON request bodies: an accepted value keeps every member of the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sgsend::domain::wire::{AddEvent, CreateToken, CreateTransfer, DownloadRequest, Empty, PartNumbers};
use sgsend::server::fuzzing::json_body;
use sgsend_fuzz::{is_written_as_it_is, keeps_every_member};

fn check<T: Serialize + DeserializeOwned + PartialEq>(body: &[u8]) {
    if let Some(value) = json_body::<T>(body) {
        is_written_as_it_is(&value);
        keeps_every_member(body, &value);
    }
}

fuzz_target!(|body: &[u8]| {
    check::<CreateTransfer>(body);
    check::<PartNumbers>(body);
    check::<DownloadRequest>(body);
    check::<AddEvent>(body);
    check::<CreateToken>(body);
    check::<Empty>(body);
});
