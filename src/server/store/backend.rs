//! Interface of storage backends: opens a storage, and describes an unopened storage to maintenance.
//!
//! A new kind of storage implements [`Backend`] in a folder of its own and is registered in [`StorageLocation`].

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::file::Durability;
use super::location::StorageLocation;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::Store;

/// Error of a backend, as source of an error that names the storage.
pub(in crate::server) type BackendError = Box<dyn std::error::Error + Send + Sync>;

/// Kind of storage at one location, not opened yet.
#[async_trait]
pub(in crate::server) trait Backend: Send + Sync {
    /// Opens the storage for a service; a folder without a storage gets a new storage.
    ///
    /// # Errors
    /// If the storage can be neither opened nor created.
    async fn open(&self, durability: Durability) -> Result<Arc<dyn Store>, BackendError>;

    /// Opens the storage for maintenance, while no service uses the storage.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    async fn open_offline(&self) -> Result<Arc<dyn Store>, BackendError> {
        self.open(Durability::Full).await
    }

    /// Runs the diagnostic checks. `page` is the origin of the web page that must reach the storage from browsers.
    async fn diagnose(&self, page: Option<&BaseUrl>) -> Vec<Finding>;

    /// Returns the name of the storage in an incomplete copy, independent of links and options.
    fn name(&self) -> String;

    /// Returns whether `other` is the same storage, or one contains the other.
    fn overlaps(&self, other: &StorageLocation) -> bool {
        self.name() == other.backend().name()
    }

    /// Checks that there is a storage, for backends whose [`open`](Self::open) would create a storage.
    ///
    /// # Errors
    /// If there is no storage.
    fn check_exists(&self) -> io::Result<()> {
        Ok(())
    }

    /// Returns whether the location contains other data but no storage.
    ///
    /// # Errors
    /// If the location cannot be read.
    fn has_other_files(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Returns the folder of the storage if a process has it open. Returns `None` as well if the backend cannot tell.
    ///
    /// # Errors
    /// If the storage cannot be opened.
    fn folder_in_use(&self) -> Result<Option<PathBuf>, BackendError> {
        Ok(None)
    }

    /// Returns whether the storage outlives its process.
    fn is_persistent(&self) -> bool {
        true
    }

    /// Returns whether the storage is reached over the network.
    fn is_remote(&self) -> bool {
        false
    }

    /// Returns whether this build contains the backend.
    fn is_supported(&self) -> bool {
        true
    }
}
