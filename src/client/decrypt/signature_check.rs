//! Check of the sender's signature over a payload, when all of it has arrived.

use super::DecryptError;
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::commitment::Commitment;
use crate::domain::crypto::envelope::Metadata;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::Header;
use crate::domain::crypto::sealed_signature::SenderSignature;
use crate::domain::people::recipient_keys::{KeysBlob, RecipientKey};
use crate::domain::people::sender_signature::{
    LeafHash, RejectedSignature, SignedStatement, VerifiedSender, tree_hash, verify,
};

/// All that a signature covers besides the payload.
pub struct SignatureCheck {
    /// Base URL of the link.
    pub base_url: BaseUrl,
    /// Payload key.
    pub key: PayloadKey,
    /// Encrypted size of the payload, in bytes.
    pub sealed_bytes: u64,
    /// Sealed info block, as the server gave it.
    pub info: Option<SealedInfo>,
    /// Keys for recipients, as the server gave them.
    pub keys: Option<KeysBlob>,
    /// Recipient whose private key has opened the transfer.
    pub opener: Option<RecipientKey>,
    /// Signature of the sender; `None` if the server gave none.
    pub signature: Option<SenderSignature>,
}

impl SignatureCheck {
    /// Checks that there is a signature exactly if the envelope says so, before any content is written.
    pub(super) fn check_envelope(&self, metadata: &Metadata) -> Result<(), DecryptError> {
        match (metadata.signed, &self.signature) {
            (true, None) => Err(RejectedSignature::Missing.into()),
            (false, Some(_)) => Err(RejectedSignature::Unexpected.into()),
            (true, Some(_)) | (false, None) => Ok(()),
        }
    }

    /// Verifies the signature over the complete payload; `None` for a payload that is not signed.
    pub(super) fn verify(
        &self,
        header: &Header,
        leaves: &[LeafHash],
    ) -> Result<Option<VerifiedSender>, RejectedSignature> {
        let Some(signature) = &self.signature else { return Ok(None) };
        let statement = SignedStatement {
            base_url: &self.base_url,
            header,
            tree_hash: tree_hash(leaves),
            sealed_bytes: self.sealed_bytes,
            commitment: Commitment::of(&self.key),
            info: self.info.as_ref(),
            keys: self.keys.as_ref(),
            recipients: None,
            signed_at: signature.signed_at,
        };
        verify(signature, statement, self.opener.as_ref()).map(Some)
    }
}
