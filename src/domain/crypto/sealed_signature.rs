//! Signature of a sender, sealed with the payload key: a server does not learn who signed.

use serde::{Deserialize, Serialize};

use super::aead::Purpose;
use super::key::PayloadKey;
use super::sealed_block::{self, MAX_BYTES, sealed_block};
use crate::domain::crypto::digest::Sha256;
use crate::domain::timestamp::Timestamp;

/// Purpose of the key that seals signatures. The payload key belongs to one payload, which binds the block to it.
const SIGNATURE: Purpose<'static> = Purpose { label: b"sgsend/v1/signature", bound_to: &[] };

/// Signature of a sender with those signed values that a verifier cannot compute from the transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderSignature {
    /// SSHSIG in its PEM form, as `ssh-keygen -Y sign` writes it.
    pub sshsig: String,
    /// SHA-256 of each recipient's canonical text, sorted; `None` for anyone with the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Vec<Sha256>>,
    /// Time of the signature.
    pub signed_at: Timestamp,
}

sealed_block!(
    /// Sealed signature of a sender in its text form: base64url of nonce, ciphertext and tag.
    SealedSignature,
    /// The text is not a sealed signature.
    InvalidSealedSignature,
    "a signature"
);

/// The signature cannot be decrypted with this key, or is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is damaged or belongs to another key")]
pub struct DamagedSignature;

impl SenderSignature {
    /// Encrypts the signature. The same signature gives the same block, so that a completion can be repeated.
    ///
    /// # Panics
    /// If there are more recipients than a transfer can have.
    #[must_use]
    pub fn seal(&self, key: &PayloadKey) -> SealedSignature {
        let json = serde_json::to_vec(self).expect("a signature has no maps");
        assert!(json.len() <= MAX_BYTES, "a transfer has at most 100 recipients");
        SealedSignature(sealed_block::seal_repeatably(key, SIGNATURE, json))
    }
}

impl SealedSignature {
    /// Decrypts the signature. Does not verify it.
    ///
    /// # Errors
    /// [`DamagedSignature`] if it belongs to another key, was changed, or has no valid content.
    pub fn open(&self, key: &PayloadKey) -> Result<SenderSignature, DamagedSignature> {
        let json = sealed_block::open(key, SIGNATURE, &self.0).ok_or(DamagedSignature)?;
        serde_json::from_slice(&json).map_err(|_| DamagedSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::info::SealedInfo;

    #[test]
    fn a_signature_opens_with_its_key_only_and_is_no_info_block() {
        let key = PayloadKey::random();
        for recipients in [None, Some(vec![Sha256::of(b"one")]), Some(vec![Sha256::of(b"many"); 100])] {
            let sshsig = "-----BEGIN SSH SIGNATURE-----\n".repeat(12);
            let signature = SenderSignature { sshsig, recipients, signed_at: Timestamp::from_millis(7) };
            let sealed = signature.seal(&key);
            assert_eq!(sealed.open(&key), Ok(signature.clone()));
            assert_eq!(signature.seal(&key), sealed);
            assert_eq!(sealed.as_str().parse(), Ok(sealed.clone()));
            assert_eq!(sealed.open(&PayloadKey::random()), Err(DamagedSignature));
            let info: SealedInfo = sealed.as_str().parse().unwrap();
            assert!(info.open(&key).is_err());
        }
    }
}
