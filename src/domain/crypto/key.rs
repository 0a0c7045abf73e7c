//! Payload keys, which seal payloads, and link keys, which links contain.

use std::str::FromStr;

use zeroize::Zeroizing;

use super::passphrase::Passphrase;
use super::{hkdf, random};
use crate::domain::base64url;

/// The 32-byte secret key of one sealed payload. Each payload has a key of its own.
#[derive(Clone)]
pub struct PayloadKey(Zeroizing<[u8; 32]>);

impl PayloadKey {
    /// Generates a key with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// Creates a key from its raw bytes, which are zeroised on drop.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Returns the raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key in a link's fragment (the part after the `#`).
///
/// Text form: `v1.`, or `v1p.` if a passphrase is also required, and 32 bytes in unpadded, canonical base64url.
#[derive(Clone)]
pub struct LinkKey {
    kind: LinkKeyKind,
    secret: Zeroizing<[u8; 32]>,
}

/// Whether a passphrase is required in addition to the link key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkKeyKind {
    Plain,
    WithPassphrase,
}

impl LinkKeyKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "v1.",
            Self::WithPassphrase => "v1p.",
        }
    }
}

/// The text is not a link key. The error does not contain the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The version prefix is neither `v1` nor `v1p`.
    #[error("unknown key version: a key starts with `v1.` or `v1p.`")]
    Version,
    /// The text after the version prefix is not 43 characters of canonical base64url.
    #[error("the key is incomplete or damaged: expected `v1.` or `v1p.` and 43 characters of base64url")]
    Malformed,
}

/// A required passphrase is missing, or a passphrase was given for a key that needs no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseMismatch {
    /// The key has version `v1p.`, but no passphrase was given.
    #[error("the key requires a passphrase")]
    Missing,
    /// The key has version `v1.`, but a passphrase was given.
    #[error("the key does not use a passphrase")]
    Unexpected,
}

impl LinkKey {
    /// Generates a key that needs no passphrase.
    #[must_use]
    pub fn random() -> Self {
        Self { kind: LinkKeyKind::Plain, secret: Zeroizing::new(random::bytes()) }
    }

    /// Generates a key that opens the payload only together with a passphrase.
    #[must_use]
    pub fn random_with_passphrase() -> Self {
        Self { kind: LinkKeyKind::WithPassphrase, secret: Zeroizing::new(random::bytes()) }
    }

    /// Returns whether a passphrase is required.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.kind == LinkKeyKind::WithPassphrase
    }

    /// Derives the payload key. With a passphrase, the derivation takes several hundred milliseconds of CPU time.
    ///
    /// Without a passphrase, the payload key equals the link key's 32 bytes. With a passphrase:
    /// payload key = HKDF-SHA256(ikm = key · stretched passphrase, salt empty, info `sgsend/v1/passphrase`), where the
    /// passphrase is stretched with the salt HKDF-SHA256(key, salt empty, info `sgsend/v1/passphrase-salt`, 16 bytes).
    pub fn payload_key(&self, passphrase: Option<&Passphrase>) -> Result<PayloadKey, PassphraseMismatch> {
        match (self.kind, passphrase) {
            (LinkKeyKind::Plain, None) => Ok(PayloadKey(self.secret.clone())),
            (LinkKeyKind::Plain, Some(_)) => Err(PassphraseMismatch::Unexpected),
            (LinkKeyKind::WithPassphrase, None) => Err(PassphraseMismatch::Missing),
            (LinkKeyKind::WithPassphrase, Some(passphrase)) => {
                let salt = hkdf::derive::<16>(self.secret.as_slice(), &[], b"sgsend/v1/passphrase-salt");
                let mut material = Zeroizing::new([0; 64]);
                material[..32].copy_from_slice(self.secret.as_slice());
                material[32..].copy_from_slice(passphrase.stretch(&salt).as_slice());
                Ok(PayloadKey(hkdf::derive(material.as_slice(), &[], b"sgsend/v1/passphrase")))
            }
        }
    }

    /// Returns the key's text form, without the `#`.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let prefix = self.kind.prefix();
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + base64url::CHARACTERS));
        text.push_str(prefix);
        text.push_str(&base64url::encode(&self.secret));
        text
    }
}

impl FromStr for LinkKey {
    type Err = InvalidKey;

    /// Parses `v1.{43}`, `v1p.{43}`, or 43 characters without a prefix, which mean a `v1.` key.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (kind, secret) = match text.split_once('.') {
            None => (LinkKeyKind::Plain, text),
            Some(("v1", secret)) => (LinkKeyKind::Plain, secret),
            Some(("v1p", secret)) => (LinkKeyKind::WithPassphrase, secret),
            Some((version, _)) if version.starts_with('v') && version.len() < base64url::CHARACTERS => {
                return Err(InvalidKey::Version);
            }
            Some(_) => return Err(InvalidKey::Malformed),
        };
        let secret = base64url::decode(secret).ok_or(InvalidKey::Malformed)?;
        Ok(Self { kind, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip() {
        for key in [LinkKey::random(), LinkKey::random_with_passphrase()] {
            let parsed: LinkKey = key.to_text().parse().unwrap();
            assert_eq!(*parsed.to_text(), *key.to_text());
            assert_eq!(parsed.needs_passphrase(), key.needs_passphrase());
        }
        assert_ne!(*LinkKey::random().to_text(), *LinkKey::random().to_text());
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
            (format!("v2.{secret}"), InvalidKey::Version),
            (format!("v1q.{secret}"), InvalidKey::Version),
        ] {
            assert_eq!(text.parse::<LinkKey>().err(), Some(error), "{text:?}");
        }
    }

    #[test]
    fn a_passphrase_is_accepted_exactly_if_required() {
        let passphrase = Passphrase::new("correct horse").unwrap();
        let (plain, protected) = (LinkKey::random(), LinkKey::random_with_passphrase());
        assert_eq!(plain.payload_key(Some(&passphrase)).err(), Some(PassphraseMismatch::Unexpected));
        assert_eq!(protected.payload_key(None).err(), Some(PassphraseMismatch::Missing));
        assert_eq!(plain.payload_key(None).unwrap().as_bytes(), &*plain.secret);
        assert_ne!(protected.payload_key(Some(&passphrase)).unwrap().as_bytes(), &*protected.secret);
    }
}
