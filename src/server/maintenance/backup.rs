//! Backup of a storage into a folder, while services use the storage.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::maintenance::copy::CopyObserver;
use crate::server::StartError;
use crate::server::store::{BackupError, BackupJob, BackupReport, StorageLocation, back_up};

/// The reasons why a storage cannot be backed up.
#[derive(Debug, thiserror::Error)]
pub enum BackupStoreError {
    /// The storage is not a folder.
    #[error("only a storage in a folder can be backed up while services use it")]
    NotAFolder,
    /// The storage contains the folder of the backup, or the other way round.
    #[error("{0} and its backup must not overlap")]
    OverlappingFolders(String),
    /// There is no storage.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The backup failed. The next one continues it.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// Stops a running backup when it is dropped.
struct BackupStop(Arc<AtomicBool>);

impl Drop for BackupStop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl StorageLocation {
    /// Makes or continues a backup of the storage in the folder `target`. Services may use the storage.
    ///
    /// Dropping the future ends the backup soon; the next one continues it. With `keep`, payloads that the storage no
    /// longer has are moved to the folder `kept` of the backup instead of being removed.
    ///
    /// # Errors
    /// [`BackupStoreError`].
    pub async fn back_up_to(
        &self,
        target: &Path,
        keep: bool,
        watch: Arc<dyn CopyObserver>,
    ) -> Result<BackupReport, BackupStoreError> {
        let source = self.folder().ok_or(BackupStoreError::NotAFolder)?.to_owned();
        let (backend, target) = (self.backend(), target.to_owned());
        let name = backend.name();
        if self.overlaps(&Self::File(target.clone())) {
            return Err(BackupStoreError::OverlappingFolders(name));
        }
        backend.check_exists().map_err(|error| StartError::Storage(error.into()))?;
        let stop = BackupStop(Arc::default());
        let stopped = Arc::clone(&stop.0);
        let run = move || {
            let (source, target, name) = (&*source, &*target, &*name);
            back_up(BackupJob { source, name, target, keep, stop: &stopped, watch: &*watch })
        };
        Ok(tokio::task::spawn_blocking(run).await.expect("a backup does not panic")?)
    }
}
