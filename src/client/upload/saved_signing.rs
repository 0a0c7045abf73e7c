//! Signature to be made, as the state file of an upload keeps it.

use serde::{Deserialize, Serialize};

use super::completion::PendingSignature;
use crate::domain::crypto::digest::Sha256;
use crate::domain::timestamp::Timestamp;

/// Signature to be made, in a state file.
#[derive(Clone, Serialize, Deserialize)]
pub struct SavedSigning {
    /// Text of the public key that is to sign.
    pub(super) signer: String,
    /// SHA-256 of each recipient's text, sorted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recipients: Option<Vec<Sha256>>,
    /// Time of the signature.
    pub(super) signed_at: Timestamp,
}

impl SavedSigning {
    pub(super) fn of(signature: &PendingSignature) -> Self {
        let signer = signature.signer.key().to_string();
        Self { signer, recipients: signature.recipients.clone(), signed_at: signature.signed_at }
    }
}
