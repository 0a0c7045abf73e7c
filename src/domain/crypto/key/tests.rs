//! Tests of keys.

use super::*;

#[test]
fn keys_round_trip() {
    for (key, prefix) in [
        (LinkKey::random(), "v1."),
        (LinkKey::random_with_passphrase(), "v1p."),
        (LinkKey::random_further(false), "v2."),
        (LinkKey::random_further(true), "v2p."),
    ] {
        let parsed: LinkKey = key.to_text().parse().unwrap();
        assert_eq!(*parsed.to_text(), *key.to_text());
        assert!(key.to_text().starts_with(prefix));
        assert_eq!(parsed.needs_passphrase(), prefix.ends_with("p."));
        assert_eq!(parsed.is_further(), prefix.starts_with("v2"));
    }
    assert_ne!(*LinkKey::random().to_text(), *LinkKey::random().to_text());
}

#[test]
fn a_commitment_opens_nothing() {
    let commitment = Commitment::of(&PayloadKey::random());
    let key: LinkKey = LinkKey::for_recipients(commitment).to_text().parse().unwrap();
    assert_eq!((key.to_text().as_str(), key.commitment()), (format!("to.{commitment}").as_str(), Some(commitment)));
    assert!(!key.needs_passphrase() && !key.is_further());
    let passphrase = Passphrase::new("correct horse").unwrap();
    for passphrase in [None, Some(&passphrase)] {
        assert_eq!(key.unlock(passphrase).err(), Some(UnlockError::Wrapped));
    }
    assert!(LinkKey::random().commitment().is_none());
}

#[test]
fn a_key_without_prefix_needs_no_passphrase() {
    let key: LinkKey = "B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E".parse().unwrap();
    assert_eq!(*key.to_text(), "v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E");
}

#[test]
fn other_texts_are_rejected() {
    let secret = "B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E";
    for (text, error) in [
        (String::new(), InvalidKey::Malformed),
        ("v1.".into(), InvalidKey::Malformed),
        (format!("v1.{}", &secret[1..]), InvalidKey::Malformed),
        (format!("v1.{secret}A"), InvalidKey::Malformed),
        (format!("v1.{secret}="), InvalidKey::Malformed),
        // Non-canonical: the same 32 bytes, with a bit set after the last byte.
        (format!("v1.{}F", &secret[..42]), InvalidKey::Malformed),
        (format!("v1{secret}"), InvalidKey::Malformed),
        (format!("{secret}."), InvalidKey::Malformed),
        (format!("#v1.{secret}"), InvalidKey::Malformed),
        (format!("V1.{secret}"), InvalidKey::Malformed),
        (format!("v3.{secret}"), InvalidKey::Version),
        (format!("v1q.{secret}"), InvalidKey::Version),
        (format!("v2q.{secret}"), InvalidKey::Version),
        (format!("v2pp.{secret}"), InvalidKey::Version),
        (format!("v2.{}", &secret[1..]), InvalidKey::Malformed),
    ] {
        assert_eq!(text.parse::<LinkKey>().err(), Some(error), "{text:?}");
    }
}

#[test]
fn a_passphrase_is_accepted_exactly_if_required() {
    let passphrase = Passphrase::new("correct horse").unwrap();
    for (plain, protected) in [
        (LinkKey::random(), LinkKey::random_with_passphrase()),
        (LinkKey::random_further(false), LinkKey::random_further(true)),
    ] {
        assert_eq!(plain.unlock(Some(&passphrase)).err(), Some(UnlockError::Unexpected));
        assert_eq!(protected.unlock(None).err(), Some(UnlockError::Missing));
        let bytes = |secret: LinkSecret| match secret {
            LinkSecret::Own(key) => *key.as_bytes(),
            LinkSecret::Further(key) => *key.as_bytes(),
        };
        assert_eq!(bytes(plain.unlock(None).unwrap()), *plain.secret.as_bytes());
        assert_ne!(bytes(protected.unlock(Some(&passphrase)).unwrap()), *protected.secret.as_bytes());
    }
}

#[test]
fn a_further_link_has_a_proof_of_its_own_and_needs_its_wrapped_key() {
    let (payload_key, id) = (PayloadKey::random(), LinkId::random());
    let secret = LinkKey::random_further(false).unlock(None).unwrap();
    let LinkSecret::Further(wrapping_key) = &secret else { panic!("not a further link") };
    let wrapped = wrapping_key.wrap(&payload_key, id);
    assert_eq!(secret.payload_key(id, Some(&wrapped)).unwrap().as_bytes(), payload_key.as_bytes());
    assert_eq!(secret.payload_key(id, None).err(), Some(UnwrapError::Missing));
    let other = LinkId::random();
    assert_eq!(secret.payload_key(other, Some(&wrapped)).err(), Some(UnwrapError::Damaged(DamagedKey)));
    assert!(!AccessProof::of(&payload_key).matches(&secret.access_proof().digest()));
    assert!(secret.clone().into_own().is_none());

    let own = LinkSecret::Own(payload_key.clone());
    assert!(AccessProof::of(&payload_key).matches(&own.access_proof().digest()));
    assert_eq!(own.payload_key(id, None).unwrap().as_bytes(), payload_key.as_bytes());
    assert_eq!(own.payload_key(id, Some(&wrapped)).err(), Some(UnwrapError::Unexpected));
    assert_eq!(own.into_own().unwrap().as_bytes(), payload_key.as_bytes());
}
