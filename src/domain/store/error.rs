//! What can go wrong in a store.

/// An error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The object is not in the state that the commit asked for; nothing was written.
    #[error("the object has changed")]
    Conflict,
    /// There is no room left; nothing was written.
    #[error("no room left")]
    Full,
    /// Another writer holds this payload.
    #[error("another writer holds this payload")]
    WriterBusy,
    /// A payload can only go on where it ends.
    #[error("the payload ends at byte {received_bytes}")]
    OffsetMismatch {
        /// Where it ends.
        received_bytes: u64,
    },
    /// There is no finished payload of this transfer.
    #[error("no such payload")]
    NoPayload,
    /// What is stored cannot be read by this version.
    #[error("cannot read what is stored at {key}")]
    Corrupt {
        /// Where it is stored.
        key: String,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// The backend does not keep what a store must promise.
    #[error("{0}")]
    Unfit(String),
    /// The store is being made as a copy of another one, and does not hold all of it.
    #[error("it is an unfinished copy of {of}")]
    UnfinishedCopy {
        /// Of which one.
        of: String,
    },
    /// The backend does not answer as it should.
    #[error("the backend does not answer as it should")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// An error of the backend.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
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
