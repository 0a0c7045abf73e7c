//! Unpacks untrusted tar archives into a new directory.
//!
//! Files are opened by path, without file descriptors of their directories. This is safe because the directory is new
//! and accessible to this user only, and because it contains no symbolic link until the last file is written: `tree`
//! creates the links last. Existing files are never opened, so the operating system itself rejects duplicate entries
//! and names that the file system treats as equal.

mod error;
mod pax;
mod reader;
mod tree;
mod watch;

use std::io::Read;
use std::path::Path;

pub use error::UnpackError;
pub(in crate::client) use tree::{default_directory_mode, make_private, permit};
pub use watch::{StopOnDrop, Watch};

use self::reader::{Reader, UnpackedKind};
use self::tree::UnpackTree;
use crate::domain::archive::{ArchivePath, IndexEntry, IndexKind, MAX_ENTRIES, SymlinkTarget};

/// Unpacked file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpackedFile {
    /// Path within the archive.
    pub name: String,
    /// Content size in bytes.
    pub size: u64,
}

/// Unpacks the tar `input` into `directory`, which must be empty and accessible to this user only. Blocks.
///
/// # Errors
///
/// After an error the caller must remove the entries that were already unpacked.
pub fn unpack(input: impl Read, directory: &Path, watch: &Watch) -> Result<Vec<UnpackedFile>, UnpackError> {
    unpack_up_to(MAX_ENTRIES, input, directory, watch)
}

/// Returns whether the tar headers in `head`, and nothing else, describe the index entry `entry`.
pub(in crate::client) fn head_agrees(head: &[u8], entry: &IndexEntry) -> bool {
    let mut reader = Reader::of_head(head);
    let Ok(Some(found)) = reader.next() else { return false };
    let (rest, size) = reader.into_rest();
    let Ok(text) = std::str::from_utf8(&found.path) else { return false };
    let (kind, target) = match &found.kind {
        UnpackedKind::Directory => (IndexKind::Directory, None),
        UnpackedKind::File => (IndexKind::File, None),
        UnpackedKind::Link { target } => (IndexKind::Symlink, Some(target.as_slice())),
    };
    rest.is_empty()
        && entry.path.as_str() == plain(text, kind == IndexKind::Directory)
        && (entry.kind, entry.size) == (kind, size)
        && entry.link.as_ref().map(|link| link.as_str().as_bytes()) == target
}

/// Returns the path of an entry without the slash after a directory, and without `./` before it.
fn plain(text: &str, is_directory: bool) -> &str {
    let text = if is_directory { text.strip_suffix('/').unwrap_or(text) } else { text };
    // `tar -C directory .` prefixes all names with `./`.
    text.strip_prefix("./").unwrap_or(text)
}

fn unpack_up_to(
    limit: usize,
    input: impl Read,
    directory: &Path,
    watch: &Watch,
) -> Result<Vec<UnpackedFile>, UnpackError> {
    let mut reader = Reader::new(input);
    let mut tree = UnpackTree::new(directory, limit)?;
    while let Some(entry) = reader.next()? {
        watch.check()?;
        let rejected = |reason: &dyn std::fmt::Display| UnpackError::rejected(&entry.path, reason);
        let text = std::str::from_utf8(&entry.path).map_err(|_| rejected(&"has a name that is not UTF-8"))?;
        let is_directory = matches!(entry.kind, UnpackedKind::Directory);
        let text = plain(text, is_directory);
        if is_directory && text == "." {
            continue;
        }
        let path = ArchivePath::parse(text).map_err(|reason| rejected(&reason))?;
        watch.at(path.as_str());
        match &entry.kind {
            UnpackedKind::Directory => tree.directory(&path, entry.mode, entry.modified)?,
            UnpackedKind::File => {
                let content = tree.file(&path, entry.mode)?;
                reader.copy_content(content, watch)?;
                tree.finish_file(entry.modified)?;
            }
            UnpackedKind::Link { target } => {
                let target = SymlinkTarget::parse(target, &path).map_err(|reason| rejected(&reason))?;
                tree.link(path, target)?;
            }
        }
    }
    tree.finish(watch)
}

#[cfg(test)]
mod tests;
