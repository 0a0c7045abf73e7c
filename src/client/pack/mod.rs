//! Packs files and directories into a virtual tar archive.
//!
//! The archive can be read at any offset, any number of times, and is never stored.

#[cfg(unix)]
mod beneath;
mod error;
mod globs;
mod header;
mod index;
mod open_files;
mod plan;
mod recorded;
mod roots;
mod spool;
mod walk;

pub use error::{Named, PackError};
pub use globs::{InvalidGlob, PathGlobs};
pub(in crate::client) use plan::nanos;
pub use plan::{Entry, FileContent, Kind, Plan};
pub use walk::{PackInput, PackOptions, Packed, SkippedEntry, pack};
