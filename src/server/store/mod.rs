//! The backends that outlive a process; [`MemoryStore`](crate::domain::store::MemoryStore) is their reference.

mod file;
mod s3;

pub use file::{Durability, FileStore, OpenError, examine as examine_folder};
pub use s3::{InvalidLocation, S3Location, S3Store, examine as examine_bucket};
