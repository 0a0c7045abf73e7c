//! Keys for recipients, checked against the test kit of age (C2SP/CCTV).
//!
//! `tests/vectors/age-testkit.json` has the vectors with their source, licence and checksum.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sgsend::domain::crypto::digest::Sha256;
use sgsend::domain::people::recipient_keys::{IdentityFile, KeysBlob, UnwrapKeysError, unwrap};

/// Vectors that the library accepts though their last stanza lacks its short line.
///
/// Early versions of age wrote such files; the MAC covers their header as it is.
const ACCEPTED: [&str; 2] = ["stanza_missing_body", "stanza_missing_final_line"];
const KIT: &str = include_str!("../../vectors/age-testkit.json");

/// Returns members and body of a test vector.
fn parse(vector: &[u8]) -> (BTreeMap<String, String>, &[u8]) {
    let end = memchr::memmem::find(vector, b"\n\n").unwrap();
    let head = std::str::from_utf8(&vector[..end]).unwrap();
    let members = head.lines().map(|line| line.split_once(": ").unwrap());
    (members.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), &vector[end + 2..])
}

#[test]
fn the_test_kit_of_age_agrees_on_what_opens() {
    let kit: Value = serde_json::from_str(KIT).unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (name, vector) in kit["vectors"].as_object().unwrap() {
        let vector = BASE64_STANDARD.decode(vector.as_str().unwrap()).unwrap();
        let (members, file) = parse(&vector);
        let identities = members.get("identity").map_or_else(Vec::new, |identity| {
            IdentityFile::parse(identity.as_bytes(), None).unwrap().unlock("").unwrap()
        });
        let opened = KeysBlob::from_bytes(file).map_err(|_| UnwrapKeysError::Damaged);
        let opened = opened.and_then(|blob| unwrap(&blob, &identities));
        let expected = members["expect"].as_str();
        *seen.entry(expected.to_owned()).or_default() += 1;
        match (expected, opened) {
            ("success", Ok((plaintext, recipient))) => {
                assert_eq!(Sha256::of(&plaintext).to_string(), members["payload"], "{name}");
                assert_eq!(recipient, *identities[0].recipient(), "{name}");
            }
            ("header failure", Ok(_)) if ACCEPTED.contains(&name.as_str()) => {}
            ("no match", Err(UnwrapKeysError::NoMatch(_)))
            | ("header failure" | "HMAC failure" | "payload failure", Err(UnwrapKeysError::Damaged)) => {}
            (expected, opened) => panic!("{name}: {expected}, but {:?}", opened.map(|(_, recipient)| recipient)),
        }
    }
    let expected =
        [("HMAC failure", 1), ("header failure", 31), ("no match", 3), ("payload failure", 6), ("success", 7)];
    assert_eq!(seen, expected.map(|(name, number)| (name.to_owned(), number)).into());
}
