//! Commitments to payload keys.

use std::fmt;
use std::str::FromStr;

use super::{base64url, hkdf};
use crate::domain::crypto::key::PayloadKey;

/// Label of the derivation of commitments.
const LABEL: &[u8] = b"sgsend/v1/commitment";

/// Commitment to one payload key. Not secret: the link to a transfer with recipients has it in place of the key.
///
/// AES-GCM does not bind a ciphertext to one key, and age does not authenticate the sender: a client that has unwrapped a
/// key compares its commitment before it uses the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment([u8; 32]);

/// The text is not a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a commitment must be 43 characters of base64url")]
pub struct InvalidCommitment;

impl Commitment {
    /// Derives the commitment to a payload key.
    ///
    /// HKDF-SHA256(payload key, salt empty, info `sgsend/v1/commitment`, 32 bytes).
    #[must_use]
    pub fn of(key: &PayloadKey) -> Self {
        Self(*hkdf::derive(key.as_bytes(), &[], LABEL))
    }

    /// Creates a commitment from its raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the raw 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({self})")
    }
}

impl FromStr for Commitment {
    type Err = InvalidCommitment;

    fn from_str(text: &str) -> Result<Self, InvalidCommitment> {
        base64url::decode(text).map(|bytes| Self(*bytes)).ok_or(InvalidCommitment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_belongs_to_one_key() {
        let key = PayloadKey::random();
        let commitment = Commitment::of(&key);
        assert_eq!(commitment.to_string().parse(), Ok(commitment));
        assert_eq!(Commitment::of(&key), commitment);
        assert_ne!(Commitment::of(&PayloadKey::random()), commitment);
        assert_ne!(commitment.as_bytes(), key.as_bytes());
        for text in [String::new(), "A".repeat(42), "A".repeat(44), format!("{}B", "A".repeat(42)), "+".repeat(43)] {
            assert_eq!(text.parse::<Commitment>(), Err(InvalidCommitment), "{text:?}");
        }
    }
}
