//! Persistent store backends: a local folder (`file:`) and an S3 bucket (`s3:`).
//!
//! [`StorageLocation`] chooses the `backend` of a storage URL. [`MemoryStore`](crate::domain::store::MemoryStore) is
//! the reference implementation of a store.

pub(super) mod backend;
mod file;
mod location;
mod memory;
pub(super) mod metered;
#[cfg(feature = "s3")]
pub(super) mod s3;
mod s3_location;
#[cfg(not(feature = "s3"))]
mod s3_stub;

pub use file::{BackupError, BackupReport, Durability, FileStore, FolderError, FolderState};
pub(super) use file::{BackupJob, Staging, back_up};
pub use location::{InvalidStorageLocation, StorageLocation};
#[cfg(feature = "s3")]
pub use s3::S3Store;
pub use s3_location::{InvalidS3Location, S3Location};
