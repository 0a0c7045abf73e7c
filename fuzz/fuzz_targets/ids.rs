//! Fuzzes the parsers of ids, digests, tokens, keys, wrapped keys, labels, proofs and grants. Accepted text is in canonical form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::domain::crypto::digest::Sha256;
use sgsend::domain::crypto::key::{LinkKey, PayloadKey};
use sgsend::domain::crypto::label::LinkName;
use sgsend::domain::crypto::link_text::{SealedLabel, WrappedKey};
use sgsend::domain::crypto::proof::{AccessProof, Grant};
use sgsend::domain::crypto::wrap::WrappingKey;
use sgsend::domain::id::{LinkId, RecordId, TokenId, TransferId};
use sgsend::domain::token::PlainToken;
use sgsend_fuzz::assert_canonical;
use zeroize::Zeroizing;

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
    if let Ok(wrapped) = WrappedKey::try_from(text.to_owned()) {
        assert_canonical(text, &String::from(WrappedKey::from_bytes(&wrapped.to_bytes())));
        let key = WrappingKey::from_bytes(Zeroizing::new([7; 32]));
        assert!(wrapped.unwrap(&key, LinkId::random()).is_err(), "a wrapped key was forged");
    }
    if let Ok(label) = SealedLabel::try_from(text.to_owned()) {
        assert_canonical(text, &String::from(SealedLabel::from_bytes(&label.to_bytes())));
        let key = PayloadKey::from_bytes(Zeroizing::new([7; 32]));
        assert!(label.open(&key, LinkId::random()).is_err(), "a label was forged");
    }
    if let Ok(name) = text.parse::<LinkName>() {
        let (key, id) = (PayloadKey::random(), LinkId::random());
        assert_eq!(name.as_str(), text);
        assert_eq!(name.seal(&key, id).open(&key, id), Ok(name));
    }
    if let Ok(key) = text.parse::<LinkKey>() {
        // A key without a version prefix is a version 1 key without a passphrase.
        let canonical = if text.contains('.') { text.to_owned() } else { format!("v1.{text}") };
        assert_canonical(&canonical, &key.to_text());
        assert_eq!(key.is_further(), text.starts_with("v2") && text.contains('.'));
        assert_eq!(key.needs_passphrase(), text.starts_with("v1p.") || text.starts_with("v2p."));
    }
});
