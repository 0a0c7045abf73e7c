//! Migration of one storage to another: opens both, rules out overlap and concurrent use, then copies.

use std::path::PathBuf;

use crate::domain::maintenance::copy::{Copied, CopyError, CopyObserver, copy};
use crate::server::StartError;
use crate::server::store::backend::BackendError;
use crate::server::store::{Durability, StorageLocation};

/// The reasons why a storage cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyStoreError {
    /// Source and destination are the same storage, or one folder contains the other.
    #[error("{0} and its copy must not overlap")]
    OverlappingLocations(String),
    /// Another process has the source or the destination folder open.
    #[error("{folder} is in use by a service or another program")]
    InUse {
        /// The folder in use.
        folder: PathBuf,
    },
    /// The destination folder contains other files.
    #[error("the destination folder is not empty")]
    NotEmpty,
    /// The source or the destination cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The copy failed. Data copied so far stays, and the same call resumes the copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl StorageLocation {
    /// Copies the storage to `to`, or resumes an earlier copy.
    ///
    /// No service may use the storage meanwhile. `to` must be empty, or contain an incomplete copy of this storage.
    ///
    /// # Errors
    /// [`CopyStoreError`].
    pub async fn copy_to(&self, to: &Self, watch: &dyn CopyObserver) -> Result<Copied, CopyStoreError> {
        let (source, destination) = (self.backend(), to.backend());
        let name = source.name();
        if self.overlaps(to) {
            return Err(CopyStoreError::OverlappingLocations(name));
        }
        source.check_exists().map_err(cannot_open)?;
        if destination.has_other_files().map_err(cannot_open)? {
            return Err(CopyStoreError::NotEmpty);
        }
        for backend in [&source, &destination] {
            if let Some(folder) = backend.folder_in_use().map_err(cannot_open)? {
                return Err(CopyStoreError::InUse { folder });
            }
        }
        let from = source.open_offline().await.map_err(cannot_open)?;
        let to = destination.open(Durability::Full).await.map_err(cannot_open)?;
        Ok(copy(&*from, &*to, &name, watch).await?)
    }
}

fn cannot_open(error: impl Into<BackendError>) -> StartError {
    StartError::Storage(error.into())
}
