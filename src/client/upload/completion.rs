//! Body of the completion of an upload: info block, keys for recipients, signature.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::UploadError;
use super::segments::Segments;
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::commitment::Commitment;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed_signature::{SealedSignature, SenderSignature};
use crate::domain::people::recipient_keys::{KeysBlob, RecipientKey};
use crate::domain::people::sender_signature::{SenderKey, SignedStatement, tree_hash};
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::CompleteUpload;

/// Signs statements with the key of a sender: from a file, or in an agent.
pub trait StatementSigner: Send + Sync {
    /// Returns the public key.
    fn key(&self) -> &SenderKey;

    /// Signs a statement; returns the SSHSIG in PEM form. Blocks: an agent may ask its user.
    ///
    /// # Errors
    /// The reason why the key or the agent did not sign.
    fn sign(&self, statement: &[u8]) -> Result<String, String>;
}

/// Signature to be made when all segments are sealed.
#[derive(Clone)]
pub(super) struct PendingSignature {
    pub signer: Arc<dyn StatementSigner>,
    /// SHA-256 of each recipient's text, sorted; `None` for anyone with the link.
    pub recipients: Option<Vec<Sha256>>,
    pub signed_at: Timestamp,
    pub key: PayloadKey,
}

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

/// Body of the completion. Each request carries the same bytes, also those of another process that resumes.
pub(super) struct Completion {
    pub info: SealedInfo,
    pub keys: Option<KeysBlob>,
    /// The signature to make, and the base URL of the link.
    pub signature: Option<(PendingSignature, BaseUrl)>,
    made: OnceLock<CompleteUpload>,
}

impl Completion {
    pub(super) fn new(
        info: SealedInfo,
        keys: Option<KeysBlob>,
        signature: Option<(PendingSignature, BaseUrl)>,
    ) -> Self {
        Self { info, keys, signature, made: OnceLock::new() }
    }

    /// Returns the body. The first call signs, when all segments are sealed.
    pub(super) async fn body(self: &Arc<Self>, segments: &Arc<Segments>) -> Result<CompleteUpload, UploadError> {
        let (this, segments) = (self.clone(), segments.clone());
        let make = move || {
            if let Some(made) = this.made.get() {
                return Ok(made.clone());
            }
            let signature = this.sign(&segments)?;
            let made = CompleteUpload { info: Some(this.info.clone()), keys: this.keys.clone(), signature };
            Ok(this.made.get_or_init(|| made).clone())
        };
        spawn_blocking(make).await.expect("signing does not panic")
    }

    fn sign(&self, segments: &Segments) -> Result<Option<SealedSignature>, UploadError> {
        let Some((pending, base_url)) = &self.signature else { return Ok(None) };
        let leaves =
            segments.leaf_hashes().ok_or_else(|| UploadError::Sign("not all segments are hashed".to_owned()))?;
        let statement = SignedStatement {
            base_url,
            header: segments.sealer().header(),
            tree_hash: tree_hash(&leaves),
            sealed_bytes: segments.layout().sealed_size(),
            commitment: Commitment::of(&pending.key),
            info: Some(&self.info),
            keys: self.keys.as_ref(),
            recipients: pending.recipients.as_deref(),
            signed_at: pending.signed_at,
        };
        let sshsig = pending.signer.sign(statement.to_text().as_bytes()).map_err(UploadError::Sign)?;
        let signature =
            SenderSignature { sshsig, recipients: pending.recipients.clone(), signed_at: pending.signed_at };
        Ok(Some(signature.seal(&pending.key)))
    }
}

/// Returns the digests by which a signature names recipients, sorted; `None` without recipients.
pub(super) fn digests_of(recipients: &[RecipientKey]) -> Option<Vec<Sha256>> {
    let mut digests: Vec<_> = recipients.iter().map(RecipientKey::digest).collect();
    digests.sort_unstable();
    digests.dedup();
    (!digests.is_empty()).then_some(digests)
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Completion")
    }
}
