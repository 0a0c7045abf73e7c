//! Payloads of this crate against Tink, in both directions.

use proptest::prelude::*;
use sgsend::domain::archive::{ArchiveIndex, IndexPosition};
use sgsend::domain::crypto::key::PayloadKey;

use super::{SIZES, content, open_all, seal_all};
use crate::support::{tink_open, tink_seal};

fn check(size: usize) {
    let (key, plaintext) = (PayloadKey::random(), content(size));
    assert!(tink_open(&key, seal_all(&key, &plaintext)) == plaintext, "Tink can't decrypt {size} bytes");
    let (opened, result) = open_all(&key, &tink_seal(&key, &plaintext));
    assert_eq!(result, Ok(()));
    assert!(opened == plaintext, "{size} bytes encrypted by Tink can't be decrypted");
}

#[test]
fn tink_and_this_crate_open_each_others_payloads() {
    SIZES.into_iter().for_each(check);
}

#[test]
fn an_archive_sealed_by_tink_is_read_by_its_index() {
    let json = br#"[{"path":"a","kind":"file","offset":0,"data":512,"size":3,"mode":420,"modified_ms":0}]"#;
    let length = json.len() as u64;
    let archive = [&[0; 2_048][..], b"SGINDEX\0", json, &length.to_be_bytes()].concat();
    let key = PayloadKey::random();
    let (opened, result) = open_all(&key, &tink_seal(&key, &archive));
    assert_eq!(result, Ok(()));
    let last = opened[opened.len() - 8..].try_into().unwrap();
    let position = IndexPosition::find(opened.len() as u64, last).unwrap();
    let index = ArchiveIndex::parse(&opened[2_048..], position).unwrap().unwrap();
    assert_eq!((index.entries[0].path.as_str(), index.tar_bytes), ("a", 2_048));
    assert!(tink_open(&key, seal_all(&key, &archive)) == archive);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn of_any_size(size in prop_oneof![0..3_000usize, 1_048_000..1_049_000usize, 0..400_000usize]) {
        check(size);
    }
}
