//! Errors of backups.

use std::io;
use std::path::PathBuf;

use crate::domain::store::StoreError;
use crate::server::store::file::FolderError;

/// The reasons why a backup cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder contains other files.
    #[error("the folder of the backup contains other files and no backup")]
    NotEmpty,
    /// The folder contains a backup of another store.
    #[error("the folder contains a backup of another storage, {of}")]
    OtherStore {
        /// Name of that store.
        of: String,
    },
    /// A service has written to the backup.
    #[error("the backup has been used as a storage since it was made")]
    Used,
    /// A service or another backup uses the folder.
    #[error("{0} is in use by a service or another backup")]
    InUse(PathBuf),
    /// Payloads were removed during each attempt.
    #[error("the storage changes too fast for a consistent backup")]
    Busy,
    /// The backup was interrupted.
    #[error("the backup was interrupted")]
    Stopped,
    /// The folder's marker cannot be read.
    #[error("cannot parse {path}")]
    Marker {
        /// Path of the marker.
        path: PathBuf,
        /// Cause of the failure.
        #[source]
        source: serde_json::Error,
    },
    /// The store cannot be read, or is newer than this program.
    #[error("cannot read the storage")]
    Source(#[source] StoreError),
    /// The folder's database cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The folder of the backup cannot be written.
    #[error("cannot write the backup")]
    Target(#[source] StoreError),
}

impl BackupError {
    /// Wraps an error of the backup's folder.
    pub(super) fn target(error: io::Error) -> Self {
        Self::Target(error.into())
    }

    /// Wraps an error of reading the store.
    pub(super) fn source(error: impl Into<StoreError>) -> Self {
        Self::Source(error.into())
    }
}
