//! Persistent store backends: a local folder (`file:`) and an S3 bucket (`s3:`).
//!
//! [`MemoryStore`](crate::domain::store::MemoryStore) is the reference implementation for both.

mod file;
pub(super) mod folder_state;
#[cfg(feature = "s3")]
mod s3;
#[cfg(not(feature = "s3"))]
#[path = "without_s3.rs"]
mod s3;
mod s3_location;

pub use file::{Durability, FileStore, OpenError, diagnose as diagnose_folder, is_open as is_folder_open};
#[cfg(feature = "s3")]
pub use s3::S3Store;
pub use s3::{diagnose as diagnose_bucket, open as open_bucket, open_offline as open_bucket_offline};
pub use s3_location::{InvalidLocation, S3Location};
