//! Options for the check of the sender's signature.

use crate::client::decrypt::DecryptError;
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::sealed_signature::SenderSignature;
use crate::domain::people::recipient_keys::{KeysBlob, RecipientKey};
use crate::domain::people::sender_signature::{RejectedSignature, SenderKey, claimed_sender};

/// Values that the check of a sender's signature needs besides the transfer.
pub struct SenderOptions {
    /// Base URL of the link.
    pub base_url: BaseUrl,
    /// Keys for recipients, if one of them has opened the transfer.
    pub keys: Option<KeysBlob>,
    /// The recipient whose private key has opened the transfer.
    pub opener: Option<RecipientKey>,
    /// Signature that the recipient requires.
    pub required: RequiredSignature,
}

/// Signature that a recipient requires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequiredSignature {
    /// None: a transfer without a signature is accepted.
    #[default]
    None,
    /// A valid signature of any key.
    Any,
    /// A valid signature of one of these keys.
    OneOf(Vec<SenderKey>),
}

impl RequiredSignature {
    /// Checks who a signature names, before a download is counted. The signature itself is verified at the end.
    ///
    /// # Errors
    /// [`RejectedSignature::Unsigned`], [`RejectedSignature::OtherSender`], [`RejectedSignature::Form`].
    pub(super) fn check(&self, signature: Option<&SenderSignature>) -> Result<(), DecryptError> {
        let Some(signature) = signature else {
            return if *self == Self::None { Ok(()) } else { Err(RejectedSignature::Unsigned.into()) };
        };
        let claimed = claimed_sender(signature)?;
        match self {
            Self::OneOf(keys) if !keys.contains(&claimed.key) => {
                Err(RejectedSignature::OtherSender(claimed.key.fingerprint()).into())
            }
            _ => Ok(()),
        }
    }
}
