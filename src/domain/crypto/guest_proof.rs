//! Guest proofs: what lets only the guest who began an upload continue or delete it.

use std::str::FromStr;

use zeroize::Zeroizing;

use super::digest::Sha256;
use super::secret_bytes::SecretBytes;

/// Secret of one upload of a guest, of which the server stores only the digest.
///
/// 32 random bytes, independent of the payload key; the text form is 64 lower-case hex digits.
#[derive(Clone)]
pub struct GuestProof(SecretBytes);

/// The text is not a guest proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a guest proof must be 64 lower-case hex digits")]
pub struct InvalidGuestProof;

impl GuestProof {
    /// Generates a proof with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self(SecretBytes::random())
    }

    /// Returns the digest of the raw bytes, which the guest passes to the server when creating a transfer.
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

impl FromStr for GuestProof {
    type Err = InvalidGuestProof;

    fn from_str(text: &str) -> Result<Self, InvalidGuestProof> {
        SecretBytes::from_hex(text).map(Self).ok_or(InvalidGuestProof)
    }
}

impl utoipa::PartialSchema for GuestProof {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        crate::domain::wire::schema::pattern("A guest proof: 32 bytes in hex", "^[0-9a-f]{64}$")
    }
}

impl utoipa::ToSchema for GuestProof {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_round_trip_and_match_their_own_digest_only() {
        let proof = GuestProof::random();
        let parsed: GuestProof = proof.to_text().parse().unwrap();
        assert!(parsed.matches(&proof.digest()));
        assert!(!parsed.matches(&GuestProof::random().digest()));
        for text in ["", "0", &"A".repeat(64), &"0".repeat(65)] {
            assert_eq!(text.parse::<GuestProof>().err(), Some(InvalidGuestProof), "{text:?}");
        }
    }
}
