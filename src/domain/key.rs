//! Keys: the one a payload is sealed with, and the one that stands in a link.

use std::str::FromStr;

use zeroize::Zeroizing;

use super::passphrase::Passphrase;
use super::{base64url, hkdf, random};

/// The 32 secret bytes that one payload is sealed with. A key is never used for a second payload.
#[derive(Clone)]
pub struct PayloadKey(Zeroizing<[u8; 32]>);

impl PayloadKey {
    /// Draws a new key from the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// Takes the raw bytes of a key, which are zeroised with it.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key as it stands in a link, behind the `#`: `v1.` or, where a passphrase is needed too, `v1p.`,
/// and 32 bytes in unpadded, canonical base64url.
#[derive(Clone)]
pub struct LinkKey {
    kind: Kind,
    secret: Zeroizing<[u8; 32]>,
}

/// Whether the link opens the payload alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    WithPassphrase,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "v1.",
            Self::WithPassphrase => "v1p.",
        }
    }
}

/// A text that is not a link's key. Says nothing of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The text has a version in front that is none of `v1` and `v1p`.
    #[error("the key is of an unknown version; known are `v1.` and `v1p.`")]
    Version,
    /// What follows the version is not 43 characters of canonical base64url.
    #[error("the key is cut short or damaged: it has `v1.` or `v1p.` and 43 characters of base64url")]
    Malformed,
}

/// A passphrase is missing, or there is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseMismatch {
    /// The key is a `v1p.` one, and no passphrase was given.
    #[error("the key needs a passphrase")]
    Missing,
    /// The key is a `v1.` one, and a passphrase was given.
    #[error("the key takes no passphrase")]
    Unexpected,
}

impl LinkKey {
    /// Draws a new key that opens the payload alone.
    #[must_use]
    pub fn random() -> Self {
        Self { kind: Kind::Plain, secret: Zeroizing::new(random::bytes()) }
    }

    /// Draws a new key that opens the payload together with a passphrase.
    #[must_use]
    pub fn random_with_passphrase() -> Self {
        Self { kind: Kind::WithPassphrase, secret: Zeroizing::new(random::bytes()) }
    }

    /// Tells whether a passphrase is needed.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.kind == Kind::WithPassphrase
    }

    /// Gives the key of the payload. With a passphrase this takes a good part of a second of computing.
    ///
    /// payload key = HKDF-SHA256(ikm = key · stretched passphrase, salt empty, info `sgsend/v1/passphrase`), where the
    /// passphrase is stretched with the salt HKDF-SHA256(key, salt empty, info `sgsend/v1/passphrase-salt`, 16 bytes).
    pub fn payload_key(&self, passphrase: Option<&Passphrase>) -> Result<PayloadKey, PassphraseMismatch> {
        match (self.kind, passphrase) {
            (Kind::Plain, None) => Ok(PayloadKey(self.secret.clone())),
            (Kind::Plain, Some(_)) => Err(PassphraseMismatch::Unexpected),
            (Kind::WithPassphrase, None) => Err(PassphraseMismatch::Missing),
            (Kind::WithPassphrase, Some(passphrase)) => {
                let salt = hkdf::derive::<16>(self.secret.as_slice(), &[], b"sgsend/v1/passphrase-salt");
                let mut material = Zeroizing::new([0; 64]);
                material[..32].copy_from_slice(self.secret.as_slice());
                material[32..].copy_from_slice(passphrase.stretch(&salt).as_slice());
                Ok(PayloadKey(hkdf::derive(material.as_slice(), &[], b"sgsend/v1/passphrase")))
            }
        }
    }

    /// Writes the key as it stands in a link, without the `#`.
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

    /// Reads `v1.{43}`, `v1p.{43}`, or 43 characters alone, which are taken for a `v1.` key.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (kind, secret) = match text.split_once('.') {
            None => (Kind::Plain, text),
            Some(("v1", secret)) => (Kind::Plain, secret),
            Some(("v1p", secret)) => (Kind::WithPassphrase, secret),
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
    fn a_key_is_read_as_it_is_written() {
        for key in [LinkKey::random(), LinkKey::random_with_passphrase()] {
            let again: LinkKey = key.to_text().parse().unwrap();
            assert_eq!(*again.to_text(), *key.to_text());
            assert_eq!(again.needs_passphrase(), key.needs_passphrase());
        }
        assert_ne!(*LinkKey::random().to_text(), *LinkKey::random().to_text());
    }

    #[test]
    fn a_bare_key_is_a_plain_one() {
        let key: LinkKey = "B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E".parse().unwrap();
        assert_eq!(*key.to_text(), "v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E");
    }

    #[test]
    fn other_texts_are_refused() {
        let secret = "B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E";
        for (text, error) in [
            (String::new(), InvalidKey::Malformed),
            ("v1.".into(), InvalidKey::Malformed),
            (format!("v1.{}", &secret[1..]), InvalidKey::Malformed),
            (format!("v1.{secret}A"), InvalidKey::Malformed),
            (format!("v1.{secret}="), InvalidKey::Malformed),
            // The same 32 bytes with a bit set behind them.
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
    fn a_passphrase_is_given_exactly_where_it_is_needed() {
        let passphrase = Passphrase::new("correct horse").unwrap();
        let (plain, locked) = (LinkKey::random(), LinkKey::random_with_passphrase());
        assert_eq!(plain.payload_key(Some(&passphrase)).err(), Some(PassphraseMismatch::Unexpected));
        assert_eq!(locked.payload_key(None).err(), Some(PassphraseMismatch::Missing));
        assert_eq!(plain.payload_key(None).unwrap().as_bytes(), &*plain.secret);
        assert_ne!(locked.payload_key(Some(&passphrase)).unwrap().as_bytes(), &*locked.secret);
    }
}
