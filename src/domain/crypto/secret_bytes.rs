//! Secrets of 32 bytes: keys, proofs, grants and the secrets of tokens are values of this type.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::digest::Sha256;
use super::{base64url, hkdf, random};
use crate::domain::id::decode_lower_hex;

/// Number of hex digits of a secret.
const HEX_DIGITS: usize = 64;

/// Secret of 32 bytes, zeroised on drop.
///
/// Implements neither `Debug` nor `Display`, and no comparison: a secret is compared by its digest, in constant time.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<[u8; 32]>);

impl SecretBytes {
    /// Generates a secret with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// Derives a secret: HKDF-SHA256(`secret`, salt empty, info `label`, 32 bytes).
    #[must_use]
    pub(crate) fn derive(secret: &[u8], label: &[u8]) -> Self {
        Self(hkdf::derive(secret, &[], label))
    }

    /// Returns the raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the digest of the raw bytes.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_slice())
    }

    /// Returns whether `digest` is the digest of this secret, in constant time.
    #[must_use]
    pub fn matches(&self, digest: &Sha256) -> bool {
        digest.is_of(self.0.as_slice())
    }

    /// Encodes the secret as 64 lower-case hex digits, which are zeroised on drop.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(HEX_DIGITS));
        for byte in self.0.iter() {
            write!(text, "{byte:02x}").expect("writing to a string never fails");
        }
        text
    }

    /// Decodes 64 lower-case hex digits; `None` for other text.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        decode_lower_hex(text).map(Zeroizing::new).map(Self)
    }

    /// Encodes the secret as 43 characters of unpadded base64url, which are zeroised on drop.
    #[must_use]
    pub fn to_base64url(&self) -> Zeroizing<String> {
        base64url::encode(&self.0)
    }

    /// Decodes 43 characters of unpadded, canonical base64url; `None` for other text.
    #[must_use]
    pub fn from_base64url(text: &str) -> Option<Self> {
        base64url::decode(text).map(Self)
    }
}

impl From<Zeroizing<[u8; 32]>> for SecretBytes {
    fn from(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_parses_from_both_text_forms_and_matches_its_own_digest_only() {
        let secret = SecretBytes::random();
        let parsed = [SecretBytes::from_hex(&secret.to_hex()), SecretBytes::from_base64url(&secret.to_base64url())];
        for parsed in parsed {
            assert!(parsed.is_some_and(|parsed| parsed.matches(&secret.digest())));
        }
        assert!(!SecretBytes::random().matches(&secret.digest()));
        for text in ["", &"A".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
            assert!(SecretBytes::from_hex(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn the_text_forms_are_those_of_the_format() {
        let secret = SecretBytes::from(Zeroizing::new(std::array::from_fn(|at| u8::try_from(at).unwrap())));
        assert_eq!(*secret.to_hex(), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        assert_eq!(*secret.to_base64url(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    }
}
