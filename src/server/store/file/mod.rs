//! `file:DIR`: a store in a directory of one machine, for any number of processes on it.
//!
//! `records.sqlite` holds the records, `payloads/` the payloads: a `.part` while one is uploaded, an `.enc` when it is
//! finished, in a directory for the first two hex digits of its id. `last-boot` tells whether the system was started since.

mod commit_queue;
mod connection;
mod download;
mod examination;
mod folder;
mod open_error;
mod part;
mod payloads;
mod readers;
mod records;
mod recovery;
mod transaction;
mod upload;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

pub use examination::examine;
pub use open_error::OpenError;

use commit_queue::CommitQueue;
use folder::{Folder, make_directory, room_at};
use readers::Readers;

use crate::domain::limits::free_space::FreeSpace;
use crate::domain::store::{Store, StoreError};

/// What an answered write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Power loss.
    Full,
    /// The end of the process: nothing is synced to the disk. For measurements only.
    None,
}

/// A store in a directory. Clones share its connections; dropping the last one waits until everything queued is
/// written.
#[derive(Clone)]
pub struct FileStore(Arc<Parts>);

/// The order is that of dropping: the writing connection closes last, and leaves no write-ahead log behind.
struct Parts {
    readers: Arc<Readers>,
    commits: CommitQueue,
    payloads: Arc<Folder>,
}

impl FileStore {
    /// Opens the store in `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// Where the directory or what is in it cannot be used.
    pub fn open(directory: &Path, durability: Durability) -> Result<Self, OpenError> {
        make_directory(directory, durability)
            .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
        let payloads = directory.join("payloads");
        make_directory(&payloads, durability)
            .map_err(|source| OpenError::Directory { path: payloads.clone(), source })?;
        recovery::cut_back(directory, &payloads, durability)
            .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
        let records = directory.join("records.sqlite");
        connection::create_file(&records)
            .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
        let writing = connection::writing(&records, durability)
            .map_err(|source| OpenError::Records { path: records.clone(), source })?;
        connection::sync_log(&records, durability)
            .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
        let commits = CommitQueue::start(writing)
            .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
        Ok(Self(Arc::new(Parts {
            readers: Arc::new(Readers::of(records)),
            commits,
            payloads: Arc::new(Folder::new(payloads, durability)),
        })))
    }
}

/// Whether a process has the store in `directory` open. One that is not there is open nowhere.
///
/// # Errors
/// Where what is there cannot be used.
pub fn is_open(directory: &Path) -> Result<bool, OpenError> {
    let path = directory.join("records.sqlite");
    if !path.exists() {
        return Ok(false);
    }
    connection::is_open_elsewhere(&path).map_err(|source| OpenError::Records { path, source })
}

#[async_trait]
impl Store for FileStore {
    async fn room(&self) -> Result<Option<FreeSpace>, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || Ok(Some(room_at(folder.path())?))).await
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.0.payloads.path()).finish()
    }
}

/// Runs what waits for a disk on a thread that may.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(job).await.unwrap_or_else(|gone| Err(StoreError::unavailable(gone)))
}
