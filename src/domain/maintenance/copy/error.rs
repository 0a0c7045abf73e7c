//! Errors of copying a store.

use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, StoreError};

/// Reason for not copying a store.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source contains no store.
    #[error("the source contains no store")]
    NoStore,
    /// The destination contains other objects.
    #[error("the destination is not empty")]
    NotEmpty,
    /// The destination contains an incomplete copy of another store.
    #[error("the destination contains an incomplete copy of {of}")]
    OtherCopy {
        /// Name of the store whose copy the destination contains.
        of: String,
    },
    /// Another process has resumed the same copy meanwhile.
    #[error("another process has taken over this copy")]
    Overtaken,
    /// A payload in the source is missing or incomplete.
    #[error("the payload of transfer {id} is missing or incomplete")]
    NoPayload {
        /// Id of the transfer.
        id: TransferId,
    },
    /// The SHA-256 of a payload read back from the destination differs from the source.
    #[error("the copied payload of transfer {id} differs from its source")]
    Damaged {
        /// Id of the transfer.
        id: TransferId,
    },
    /// An object in the destination differs from the source.
    #[error("{key} changed during the copy")]
    Differs {
        /// Key of the object.
        key: StorageKey,
    },
    /// The source cannot be read.
    #[error("cannot read the source")]
    From(#[source] StoreError),
    /// The destination cannot be written or read back.
    #[error("cannot write or read back the copy")]
    To(#[source] StoreError),
}
