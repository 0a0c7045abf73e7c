//! Packing: a directory, or several files and directories, as one tar that can be read at any offset, again and again,
//! and is never written anywhere.

mod error;
mod exclude;
mod header;
mod open_files;
mod plan;
mod walk;

pub use error::{Named, PackError};
pub use exclude::{Exclude, InvalidGlob};
pub(in crate::client) use plan::nanos;
pub use plan::{Entry, Kind, Plan};
pub use walk::{LeftOut, Packed, Top, pack};

/// The most entries in an archive.
pub const MAX_ENTRIES: usize = 1_000_000;
