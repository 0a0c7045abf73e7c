//! Unpacking: a stranger's tar becomes files in a directory of our own, or nothing at all.
//!
//! Paths are joined and opened one after the other here, without file descriptors of directories. That is safe because
//! the directory is new, ours, and closed to every other user, and because nothing in it is a link before the last file
//! is written: `tree` makes links last. What exists already is never opened, so names that a file system takes for the
//! same, and entries that stand there twice, are refused by the system itself.

mod error;
mod pax;
mod reader;
mod tree;
mod watch;

use std::io::Read;
use std::path::Path;

pub use error::UnpackError;
pub(in crate::client) use tree::{make_private, permit, usual_mode};
pub use watch::{StopOnDrop, Watch};

use self::reader::{Kind, Reader};
use self::tree::Tree;
use super::pack::MAX_ENTRIES;
use crate::domain::archive_path::{ArchivePath, LinkTarget};

/// A file that was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpackedFile {
    /// Its path within the archive.
    pub name: String,
    /// Its bytes.
    pub size: u64,
}

/// Unpacks the tar `input` into `directory`, which is empty and closed to others. Blocks.
///
/// If it fails, what was unpacked until then is still there, and shall be removed by the caller.
pub fn unpack(input: impl Read, directory: &Path, watch: &Watch) -> Result<Vec<UnpackedFile>, UnpackError> {
    unpack_up_to(MAX_ENTRIES, input, directory, watch)
}

fn unpack_up_to(
    limit: usize,
    input: impl Read,
    directory: &Path,
    watch: &Watch,
) -> Result<Vec<UnpackedFile>, UnpackError> {
    let mut reader = Reader::new(input);
    let mut tree = Tree::new(directory, limit)?;
    while let Some(entry) = reader.next()? {
        watch.check()?;
        let refused = |why: &dyn std::fmt::Display| UnpackError::refused(&entry.path, why);
        let text = std::str::from_utf8(&entry.path).map_err(|_| refused(&"is not a name in UTF-8"))?;
        let is_directory = matches!(entry.kind, Kind::Directory);
        let text = if is_directory { text.strip_suffix('/').unwrap_or(text) } else { text };
        // As `tar -C directory .` names what it packs.
        let text = text.strip_prefix("./").unwrap_or(text);
        if is_directory && text == "." {
            continue;
        }
        let path = ArchivePath::parse(text).map_err(|why| refused(&why))?;
        watch.at(path.as_str());
        match &entry.kind {
            Kind::Directory => tree.directory(&path, entry.mode, entry.modified)?,
            Kind::File => {
                let content = tree.file(&path, entry.mode)?;
                reader.copy_content(content, watch)?;
                tree.finish_file(entry.modified)?;
            }
            Kind::Link { target } => {
                let target = std::str::from_utf8(target).map_err(|_| refused(&"leads to no name in UTF-8"))?;
                tree.link(path.clone(), LinkTarget::parse(target, &path).map_err(|why| refused(&why))?)?;
            }
        }
    }
    tree.finish(watch)
}

#[cfg(test)]
mod tests;
