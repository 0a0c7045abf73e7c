//! Errors of downloads.

use super::GrantFile;
use crate::client::decrypt::{DecryptError, OutputError};
use crate::client::{ClientError, Signal};
use crate::domain::crypto::key::UnwrapError;
use crate::domain::crypto::sealed::{ImpossibleSize, OpenError};
use crate::domain::error::ErrorCode;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// Failed download.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// A request failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The transfer is no longer available for download.
    #[error("{}", match .0 {
        Status::Expired => "this transfer has expired",
        Status::Exhausted => "the download limit of this transfer is reached",
        Status::Closed => "this link was closed by its sender",
        _ => "this transfer was deleted",
    })]
    Gone(Status),
    /// The upload is not finished.
    #[error("the upload of this transfer is not complete")]
    NotComplete,
    /// The access proof of this key does not match the server's.
    #[error("the key or the passphrase is wrong")]
    WrongKey,
    /// The payload key of a further link cannot be unwrapped. Nothing was counted.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
    /// The server reports a size that no payload can have.
    #[error(transparent)]
    Size(#[from] ImpossibleSize),
    /// The server reports another size than before.
    #[error("the server reports an encrypted size of {reported} bytes, after {expected} bytes")]
    SizeChanged {
        /// Size with the status of the transfer.
        expected: u64,
        /// Size with the download.
        reported: u64,
    },
    /// The content is larger than the caller accepts, as the sender says. Nothing was counted.
    #[error("the content has {size} bytes, more than the limit of {limit} bytes")]
    TooLarge {
        /// Content size in bytes.
        size: u64,
        /// Limit in bytes.
        limit: u64,
    },
    /// The response has another byte range than requested.
    #[error("the server sent another part of the payload than requested")]
    WrongRange,
    /// The payload cannot be decrypted.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// The output cannot be written, after the download was counted.
    #[error("{error}")]
    OutputFailed {
        /// The output error.
        #[source]
        error: OutputError,
        /// Time until which a retry does not count as another download; `None` if the grant could not be saved.
        free_retry_until: Option<Timestamp>,
    },
    /// A request failed, and another process can resume from the partial download.
    #[error(transparent)]
    Unfinished(ClientError),
    /// A signal interrupted the download.
    #[error("the download was interrupted")]
    Interrupted {
        /// The signal.
        signal: Signal,
        /// Whether another process can resume the download.
        resumable: bool,
        /// Time until which a retry does not count as another download; `None` if nothing was counted or saved.
        free_retry_until: Option<Timestamp>,
    },
}

impl DownloadError {
    /// Converts a resumable error into [`DownloadError::Unfinished`] if there is a partial download.
    pub(super) fn or_unfinished(self, grant_file: &GrantFile) -> Self {
        match self {
            Self::Client(error) if error.is_resumable() && grant_file.has_partial() => Self::Unfinished(error),
            other => other,
        }
    }

    /// Returns whether the transfer no longer exists or is no longer available.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Gone(_) => true,
            Self::Client(error) => error.code() == Some(ErrorCode::TransferNotFound),
            _ => false,
        }
    }

    /// Returns whether the payload is not what a sender of this project uploads with this key.
    pub(super) const fn is_damage(&self) -> bool {
        matches!(self, Self::Decrypt(DecryptError::Open(_) | DecryptError::Envelope(_) | DecryptError::Signature(_)))
    }

    /// Returns whether the key is wrong. A first segment that is not authentic also counts, since a wrong key is the
    /// likely cause.
    #[must_use]
    pub const fn is_wrong_key(&self) -> bool {
        matches!(self, Self::WrongKey | Self::Decrypt(DecryptError::Open(OpenError::Unauthentic { index: 0 })))
    }
}

/// Maps error responses about the key or the transfer's end. Responses to HEAD have no body, only a status.
pub(super) fn access_error(error: ClientError) -> DownloadError {
    match (error.code(), &error) {
        (Some(ErrorCode::AccessInvalid | ErrorCode::AccessRequired), _) => DownloadError::WrongKey,
        (Some(ErrorCode::TransferExpired), _) => DownloadError::Gone(Status::Expired),
        (Some(ErrorCode::TransferExhausted), _) => DownloadError::Gone(Status::Exhausted),
        (Some(ErrorCode::TransferDeleted), _) => DownloadError::Gone(Status::Deleted),
        (Some(ErrorCode::LinkClosed), _) => DownloadError::Gone(Status::Closed),
        (None, ClientError::Api(api)) if matches!(api.status, 401 | 403) => DownloadError::WrongKey,
        _ => error.into(),
    }
}
