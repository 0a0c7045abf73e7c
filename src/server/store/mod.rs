//! The backends that outlive a process; [`MemoryStore`](crate::domain::store::MemoryStore) is their reference.

mod file;

pub use file::{Durability, FileStore, OpenError};
