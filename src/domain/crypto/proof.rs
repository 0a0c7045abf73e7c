//! Access proofs and download grants: client secrets of which a server stores only digests.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::digest::Sha256;
use super::key::PayloadKey;
use super::secret_bytes::SecretBytes;
use super::wrap::WrappingKey;

/// Proof of possession of a link's key, without revealing the key.
///
/// 32 bytes; the text form is 64 lower-case hex digits.
#[derive(Clone)]
pub struct AccessProof(SecretBytes);

/// Secret that identifies one download, including all its range requests and retries.
///
/// 32 random bytes chosen by the downloader; the text form is 43 characters of unpadded, canonical base64url.
#[derive(Clone)]
pub struct Grant(SecretBytes);

/// Label of the derivation of proofs.
const LABEL: &[u8] = b"sgsend/v1/access";

/// Pattern of a grant. The last character encodes only 4 bits of the 32 bytes; its other two bits must be 0.
const GRANT_PATTERN: &str = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$";

/// The text is not an access proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an access proof must be 64 lower-case hex digits")]
pub struct InvalidProof;

/// The text is not a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a grant must be 43 characters of base64url")]
pub struct InvalidGrant;

impl AccessProof {
    /// Derives the proof of a transfer's own link.
    ///
    /// HKDF-SHA256(payload key, salt empty, info `sgsend/v1/access`, 32 bytes).
    #[must_use]
    pub fn of(key: &PayloadKey) -> Self {
        Self(SecretBytes::derive(key.as_bytes(), LABEL))
    }

    /// Derives the proof of a further link.
    ///
    /// HKDF-SHA256(link secret, salt empty, info `sgsend/v1/access`, 32 bytes).
    #[must_use]
    pub fn of_link(key: &WrappingKey) -> Self {
        Self(SecretBytes::derive(key.as_bytes(), LABEL))
    }

    /// Returns the digest of the raw bytes, which the sender passes to the server when creating a transfer.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.0.digest()
    }

    /// Returns whether `digest` is the digest of this proof, in constant time.
    #[must_use]
    pub fn matches(&self, digest: &Sha256) -> bool {
        self.0.matches(digest)
    }

    /// Returns the proof's text form.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_hex()
    }
}

impl FromStr for AccessProof {
    type Err = InvalidProof;

    fn from_str(text: &str) -> Result<Self, InvalidProof> {
        SecretBytes::from_hex(text).map(Self).ok_or(InvalidProof)
    }
}

impl Grant {
    /// Generates a grant with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self(SecretBytes::random())
    }

    /// Returns the digest of the raw bytes, which the server stores.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.0.digest()
    }

    /// Returns whether `digest` is the digest of this grant, in constant time.
    #[must_use]
    pub fn matches(&self, digest: &Sha256) -> bool {
        self.0.matches(digest)
    }

    /// Returns the grant's text form.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_base64url()
    }
}

impl FromStr for Grant {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        SecretBytes::from_base64url(text).map(Self).ok_or(InvalidGrant)
    }
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Zeroizing::new(String::deserialize(deserializer)?).parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for AccessProof {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        crate::domain::wire::schema::pattern("An access proof: 32 bytes in hex", "^[0-9a-f]{64}$")
    }
}

impl utoipa::ToSchema for AccessProof {}

impl utoipa::PartialSchema for Grant {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        crate::domain::wire::schema::pattern("A grant: 32 bytes in unpadded, canonical base64url", GRANT_PATTERN)
    }
}

impl utoipa::ToSchema for Grant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_round_trip() {
        let proof = AccessProof::of(&PayloadKey::random());
        let parsed: AccessProof = proof.to_text().parse().unwrap();
        assert!(parsed.matches(&proof.digest()));
        assert!(!parsed.matches(&AccessProof::of(&PayloadKey::random()).digest()));
    }

    #[test]
    fn invalid_proofs_are_rejected() {
        for text in [String::new(), "0".repeat(63), "0".repeat(65), "A".repeat(64), "g".repeat(64)] {
            assert_eq!(text.parse::<AccessProof>().err(), Some(InvalidProof), "{text:?}");
        }
    }

    #[test]
    fn grants_round_trip() {
        let grant = Grant::random();
        let parsed: Grant = grant.to_text().parse().unwrap();
        assert!(parsed.matches(&grant.digest()));
        let json = serde_json::to_string(&grant).unwrap();
        assert_eq!(json, format!("\"{}\"", *grant.to_text()));
        assert!(serde_json::from_str::<Grant>(&json).unwrap().matches(&grant.digest()));
        assert!(!Grant::random().matches(&grant.digest()));
    }

    #[test]
    fn invalid_grants_are_rejected() {
        for text in [String::new(), "A".repeat(42), "A".repeat(44), format!("{}B", "A".repeat(42)), "+".repeat(43)] {
            assert_eq!(text.parse::<Grant>().err(), Some(InvalidGrant), "{text:?}");
        }
    }
}
