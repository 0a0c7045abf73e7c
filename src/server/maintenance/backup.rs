//! Backup of a storage into a folder, while services use the storage.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::clock::SystemClock;
use crate::domain::maintenance::copy::{CopyError, CopyObserver, copy_in_use};
use crate::domain::store::{StorageKey, Store, StoreHeader, check_layout};
use crate::server::StartError;
use crate::server::store::backend::BackendError;
use crate::server::store::{BackupError, BackupJob, BackupReport, Staging, StorageLocation, back_up};

/// The reasons why a storage cannot be backed up.
#[derive(Debug, thiserror::Error)]
pub enum BackupStoreError {
    /// The storage contains the folder of the backup, or the other way round.
    #[error("{0} and its backup must not overlap")]
    OverlappingFolders(String),
    /// There is no storage.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The bucket could not be copied. The next backup takes over the payloads that were copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
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
        let backend = self.backend();
        if self.overlaps(&Self::File(target.to_owned())) {
            return Err(BackupStoreError::OverlappingFolders(backend.name()));
        }
        backend.check_exists().map_err(cannot_open)?;
        let stop = BackupStop(Arc::default());
        let run = BackupRun { name: backend.name(), target: target.to_owned(), keep, stop: Arc::clone(&stop.0), watch };
        match self.folder() {
            Some(source) => run.of_folder(source.to_owned()).await,
            None => run.of_store(&*backend.open_offline().await.map_err(cannot_open)?).await,
        }
    }
}

/// A run of a backup.
#[derive(Clone)]
struct BackupRun {
    /// Name of the storage.
    name: String,
    target: PathBuf,
    keep: bool,
    stop: Arc<AtomicBool>,
    watch: Arc<dyn CopyObserver>,
}

impl BackupRun {
    /// Backs up a storage in a folder.
    async fn of_folder(self, source: PathBuf) -> Result<BackupReport, BackupStoreError> {
        Ok(blocking(move || back_up(self.job(&source))).await?)
    }

    /// Backs up a storage that is no folder.
    async fn of_store(self, from: &dyn Store) -> Result<BackupReport, BackupStoreError> {
        check_layout(from).await.map_err(CopyError::From)?;
        let header = from.get(&StorageKey::header()).await.map_err(CopyError::From)?.ok_or(CopyError::NoStore)?;
        let store_id = StoreHeader::parse(&header.value).map_err(CopyError::From)?.store_id;
        let run = self.clone();
        let begin = move || {
            let staging = Staging::begin(&run.target, &run.name, store_id)?;
            let store = staging.open()?;
            Ok::<_, BackupError>((staging, store))
        };
        let (staging, to) = blocking(begin).await?;
        let known = staging.known_payloads(&self.target);
        let copied = Box::pin(copy_in_use(from, &to, &known, &SystemClock, &*self.watch)).await?;
        let install = move || {
            // Waits until all commits are written.
            drop(to);
            let source = self.target.clone();
            staging.install(self.job(&source), copied)
        };
        Ok(blocking(install).await?)
    }

    fn job<'a>(&'a self, source: &'a Path) -> BackupJob<'a> {
        let Self { name, target, keep, stop, watch } = self;
        BackupJob { source, name, target, keep: *keep, link: false, stop, watch: &**watch }
    }
}

/// Runs a part of a backup that blocks.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(run).await.expect("a backup does not panic")
}

fn cannot_open(error: impl Into<BackendError>) -> StartError {
    StartError::Storage(error.into())
}
