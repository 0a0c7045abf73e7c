//! Parsers for storage URLs and storage keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::domain::store::{ScheduleEntry, StorageKey};
use sgsend::server::StorageLocation;
use sgsend::server::store::S3Location;

fn check_bucket(location: &S3Location) {
    let written = location.to_string();
    assert_eq!(written.parse().as_ref(), Ok(location), "{written}");
    assert!(!location.bucket.is_empty() && !location.bucket.contains('/'));
    assert!(!location.prefix.starts_with('/') && !location.prefix.ends_with('/'));
    assert!(!location.prefix.contains("//") && !location.prefix.contains(['%', '?', '#']));
    assert!(!location.prefix.split('/').any(|part| part == "." || part == ".."));
    if let Some(endpoint) = &location.endpoint {
        assert!(matches!(endpoint.scheme(), "http" | "https") && endpoint.has_host());
        assert!(endpoint.username().is_empty() && endpoint.password().is_none());
        assert!(endpoint.query().is_none() && endpoint.fragment().is_none(), "{endpoint}");
    }
}

fn check_key(text: &str) {
    let key = StorageKey::from_backend(text.to_owned());
    assert_eq!(key.as_str(), text);
    assert!(!key.name().contains('/') && text.contains(key.name()));
    if let Some(day) = key.day() {
        assert!(text.contains(day.as_str()) && !day.as_str().contains('/'));
    }
    if let Some(entry) = ScheduleEntry::from_key(&key) {
        assert_eq!(entry.key(), key);
    }
}

fuzz_target!(|text: &str| {
    check_key(text);
    match text.parse() {
        Ok(StorageLocation::Memory) => assert_eq!(text, "memory:"),
        Ok(StorageLocation::File(folder)) => assert_eq!(text.strip_prefix("file:"), folder.to_str()),
        Ok(StorageLocation::S3(location)) => check_bucket(&location),
        Err(_) => {}
    }
    if let Ok(location) = text.parse() {
        check_bucket(&location);
    }
});
