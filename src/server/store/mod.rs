//! The backends that outlive a process; [`MemoryStore`](crate::domain::store::MemoryStore) is their reference.

mod file;
mod s3;

pub use file::{Durability, FileStore, OpenError};
pub use s3::{InvalidLocation, S3Location, S3Store};
