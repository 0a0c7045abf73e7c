//! Why a store was not copied.

use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, StoreError};

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is no store to be copied.
    #[error("there is no store to copy")]
    NoStore,
    /// What is to become the copy is something else already.
    #[error("the place for the copy is not empty")]
    NotEmpty,
    /// What is to become the copy is an unfinished one of another store.
    #[error("the place for the copy holds an unfinished copy of {of}")]
    OtherCopy {
        /// Of which one.
        of: String,
    },
    /// Another process has gone on with this copy meanwhile.
    #[error("another process has gone on with this copy")]
    Overtaken,
    /// A payload is missing, or cannot be read whole.
    #[error("the payload of transfer {id} is not there whole")]
    NoPayload {
        /// Whose.
        id: TransferId,
    },
    /// The copy of a payload reads as something else.
    #[error("the payload of transfer {id} came out differently in the copy")]
    Damaged {
        /// Whose.
        id: TransferId,
    },
    /// An object is not in the copy as it is in the original.
    #[error("{key} has changed while it was copied")]
    Differs {
        /// Which one.
        key: StorageKey,
    },
    /// The original cannot be read.
    #[error("cannot read what is to be copied")]
    From(#[source] StoreError),
    /// The copy cannot be written, or read back.
    #[error("cannot write the copy")]
    To(#[source] StoreError),
}
