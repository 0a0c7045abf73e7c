//! Fuzzes the parsers of ids, digests, tokens, keys, proofs and grants. Accepted text is in canonical form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::domain::crypto::digest::Sha256;
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::crypto::proof::{AccessProof, Grant};
use sgsend::domain::id::{RecordId, TokenId, TransferId};
use sgsend::domain::token::PlainToken;
use sgsend_fuzz::assert_canonical;

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<TransferId>() {
        assert_canonical(text, &id.to_string());
    }
    if let Ok(id) = text.parse::<TokenId>() {
        assert_canonical(text, &id.to_string());
    }
    if let Ok(id) = text.parse::<RecordId>() {
        assert_canonical(text, &id.to_string());
    }
    if let Ok(digest) = Sha256::try_from(text.to_owned()) {
        assert_canonical(text, &digest.to_string());
    }
    if let Ok(token) = text.parse::<PlainToken>() {
        assert_canonical(text, &token.to_text());
        assert!(
            !format!("{:?}", token.secret_digest()).contains(&text[21..]),
            "the debug output reveals a token's secret"
        );
    }
    if let Ok(proof) = text.parse::<AccessProof>() {
        assert_canonical(text, &proof.to_text());
        assert!(proof.matches(&proof.digest()));
    }
    if let Ok(grant) = text.parse::<Grant>() {
        assert_canonical(text, &grant.to_text());
        assert!(grant.matches(&grant.digest()));
    }
    if let Ok(key) = text.parse::<LinkKey>() {
        // A key without a version prefix is a version 1 key without a passphrase.
        let canonical = if text.contains('.') { text.to_owned() } else { format!("v1.{text}") };
        assert_canonical(&canonical, &key.to_text());
        assert_eq!(key.needs_passphrase(), text.starts_with("v1p."));
    }
});
