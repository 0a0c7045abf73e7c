//! Payloads of this crate against Tink, in both directions.

use proptest::prelude::*;
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn of_any_size(size in prop_oneof![0..3_000usize, 1_048_000..1_049_000usize, 0..400_000usize]) {
        check(size);
    }
}
