//! Validation of the paths and symlinks of an archive, so that it unpacks safely on every system.

mod path;
mod symlink_target;

pub use path::{ArchivePath, InvalidArchivePath};
pub use symlink_target::{InvalidSymlinkTarget, SymlinkTarget};

/// Maximum number of entries in an archive.
pub const MAX_ENTRIES: usize = 1_000_000;
