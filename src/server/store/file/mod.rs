//! `file:DIR`: a store in a local directory, shared by any number of processes on one machine.
//!
//! - `records.sqlite` holds the records.
//! - `payloads/` holds one file per payload, `.part` during the upload and `.enc` once finished, in subdirectories
//!   named by the first two hex digits of the transfer's ID.
//! - `reserve` holds disk space for deletions on a full disk.
//! - `last-boot` holds the boot ID that tells a power loss from a killed process.

mod backup;
mod ballast;
mod commit_queue;
mod connection;
mod counters;
mod diagnose;
mod folder;
mod folder_state;
mod open_error;
mod part;
mod payloads;
mod probe;
mod read_pool;
mod reader;
mod records;
mod recovery;
mod space_monitor;
mod storage;
mod transaction;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

pub use backup::{BackupError, BackupReport};
pub(in crate::server) use backup::{BackupJob, Staging, run as back_up};
pub use folder_state::FolderState;
pub use open_error::FolderError;
pub(super) use storage::FolderStorage;

use commit_queue::CommitQueue;
use folder::{Folder, make_directory};
use read_pool::ReadPool;
use space_monitor::{DiskSpace, SpaceMonitor};

use crate::domain::limits::free_space::{FreeSpace, SpaceReading};
use crate::domain::store::{PayloadProbeError, Store, StoreError};

/// Failure that an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Power loss: every acknowledged write is synced to disk.
    Full,
    /// Exit of the process: nothing is synced to disk. For measurements only.
    None,
}

/// Store in a local directory.
///
/// Clones share the connections. Dropping the last clone waits until all queued commits are written.
#[derive(Clone)]
pub struct FileStore(Arc<FileStoreInner>);

/// State shared by the clones of a store.
///
/// Fields are dropped in order: the writing connection closes last, and so removes the write-ahead log.
struct FileStoreInner {
    read_pool: Arc<ReadPool>,
    commits: CommitQueue,
    payloads: Arc<Folder>,
    disk: Arc<DiskSpace>,
    _monitor: SpaceMonitor,
}

impl FileStore {
    /// Opens the store in `directory`, and creates the directory if it does not exist.
    ///
    /// # Errors
    /// [`FolderError`] if the directory, the payload directory or the database cannot be created or opened, or if the
    /// layout is newer than this program; a newer store stays unchanged.
    pub fn open(directory: &Path, durability: Durability) -> Result<Self, FolderError> {
        let records = directory.join("records.sqlite");
        connection::check_layout(&records).map_err(|source| FolderError::Layout { path: records.clone(), source })?;
        make_directory(directory, durability)
            .map_err(|source| FolderError::Directory { path: directory.to_owned(), source })?;
        let payloads = directory.join("payloads");
        make_directory(&payloads, durability)
            .map_err(|source| FolderError::Directory { path: payloads.clone(), source })?;
        recovery::truncate_unsynced(directory, &payloads, durability)
            .map_err(|source| FolderError::Directory { path: directory.to_owned(), source })?;
        connection::create_file(&records)
            .map_err(|source| FolderError::Directory { path: directory.to_owned(), source })?;
        let disk = Arc::new(DiskSpace::open(directory));
        // A full disk has no room for the index of the write-ahead log, which a store without open connections lacks.
        let writer = disk
            .ballast()
            .spend(connection::is_full, || connection::open_writer(&records, durability))
            .map_err(|source| FolderError::Records { path: records.clone(), source })?;
        connection::sync_log(&records, durability)
            .map_err(|source| FolderError::Directory { path: directory.to_owned(), source })?;
        let commits = CommitQueue::start(writer, Arc::clone(&disk))
            .map_err(|source| FolderError::Directory { path: directory.to_owned(), source })?;
        let monitor = SpaceMonitor::start(Arc::clone(&disk))
            .map_err(|source| FolderError::Directory { path: directory.to_owned(), source })?;
        Ok(Self(Arc::new(FileStoreInner {
            read_pool: Arc::new(ReadPool::of(records)),
            commits,
            payloads: Arc::new(Folder::new(payloads, durability)),
            disk,
            _monitor: monitor,
        })))
    }
}

/// Returns whether any process has the store in `directory` open; `false` if there is no store.
///
/// # Errors
/// [`FolderError::Records`] if the database cannot be opened.
fn is_open(directory: &Path) -> Result<bool, FolderError> {
    let path = directory.join("records.sqlite");
    if !path.exists() {
        return Ok(false);
    }
    connection::is_open_elsewhere(&path).map_err(|source| FolderError::Records { path, source })
}

#[async_trait]
impl Store for FileStore {
    /// Half of what one transaction holds: requests find place beside a sweep.
    fn cleanup_concurrency(&self) -> usize {
        commit_queue::QUEUE / 2
    }

    async fn probe_payloads(&self) -> Result<(), PayloadProbeError> {
        let folder = Arc::clone(&self.0.payloads);
        let probed = tokio::task::spawn_blocking(move || probe::probe(&folder)).await;
        probed.unwrap_or_else(|error| Err(PayloadProbeError::Write(StoreError::unavailable(error))))
    }

    async fn free_space(&self) -> Result<Option<FreeSpace>, StoreError> {
        let disk = Arc::clone(&self.0.disk);
        blocking(move || Ok(Some(disk.free_space()?))).await
    }

    fn space(&self) -> SpaceReading {
        self.0.disk.reading()
    }

    async fn measure_space(&self) {
        let disk = Arc::clone(&self.0.disk);
        let measure = move || {
            disk.measure();
            Ok(())
        };
        // Cannot fail.
        drop(blocking(measure).await);
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.0.payloads.path()).finish()
    }
}

/// Runs blocking disk operations on Tokio's blocking thread pool.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(job).await.unwrap_or_else(|error| Err(StoreError::unavailable(error)))
}
