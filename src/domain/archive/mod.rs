//! Index of an archive, and validation of its paths and symlinks.
//!
//! So archives unpack safely on every system.

mod index;
mod path;
mod symlink_target;

pub use index::{
    ArchiveIndex, INDEX_FRAME_BYTES, INDEX_LENGTH_BYTES, INDEX_MAGIC, IndexEntry, IndexKind, IndexPosition,
    IndexRecord, InvalidIndex, MAX_HEADER_BYTES, MAX_INDEX_BYTES, TAR_BLOCK, TAR_END_BYTES,
};
pub use path::{ArchivePath, InvalidArchivePath};
pub use symlink_target::{InvalidSymlinkTarget, SymlinkTarget};

/// Maximum number of entries in an archive.
pub const MAX_ENTRIES: usize = 1_000_000;
