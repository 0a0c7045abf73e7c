//! Errors of a store.

use super::LayoutVersion;

/// Reason for the failure of a store operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The object does not meet the condition of the commit; no record was written.
    #[error("the object was changed by another writer")]
    Conflict,
    /// No free space is left; the write was not applied.
    #[error("no free space left")]
    Full,
    /// Too many requests to the backend are in progress; this one was not sent.
    #[error("too many requests to the storage at once")]
    Busy,
    /// Another writer has opened this payload.
    #[error("another writer has opened this payload")]
    WriterBusy,
    /// The offset of a write differs from the number of stored bytes.
    #[error("writing must continue at offset {received_bytes}")]
    OffsetMismatch {
        /// Number of bytes stored so far.
        received_bytes: u64,
    },
    /// The transfer has no finished payload.
    #[error("the payload does not exist")]
    NoPayload,
    /// The object is not readable by this version.
    #[error("cannot parse the object {key}")]
    Corrupt {
        /// Key of the object.
        key: String,
        /// Cause of the failure.
        #[source]
        source: serde_json::Error,
    },
    /// The backend lacks the required guarantees.
    #[error("{0}")]
    Unusable(String),
    /// A newer version of this program has created or upgraded the store.
    #[error(
        "the storage has format version {found}, and this version of sgsend supports versions up to {}",
        LayoutVersion::CURRENT
    )]
    NewerLayout {
        /// Version of the store.
        found: LayoutVersion,
    },
    /// The store is an incomplete copy of another store.
    #[error("the storage is an incomplete copy of {of}")]
    IncompleteCopy {
        /// Name of the store being copied.
        of: String,
    },
    /// A request to the backend failed.
    #[error("the storage backend failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Wraps an error of the backend.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// Returns the error of further writes to a payload after a write failed with this error.
    #[must_use]
    pub fn for_later_writes(&self) -> Self {
        match self {
            Self::NoPayload => Self::NoPayload,
            Self::Full => Self::Full,
            _ => Self::unavailable("an earlier write of this payload failed"),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::unavailable(error),
        }
    }
}
