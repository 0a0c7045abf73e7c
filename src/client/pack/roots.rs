//! The top-level files and directories of an archive on disk.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::plan::Entry;
use crate::client::upload::{Fingerprint, WatchedFile, plain_flags};

/// Maximum number of roots that are kept open. A command line with many paths leaves descriptors for other uses.
const MAX_OPEN: usize = 64;

/// Top-level paths. The first of them are kept open, so that their files are found after they were moved.
#[derive(Debug, Default)]
pub(super) struct Roots {
    roots: Vec<(PathBuf, Option<File>)>,
    follows_links: bool,
}

impl Roots {
    /// Creates an empty list; `follows_links` tells whether a symbolic link stands for its target.
    pub(super) const fn new(follows_links: bool) -> Self {
        Self { roots: Vec::new(), follows_links }
    }

    /// Adds a path and returns its index.
    pub(super) fn add(&mut self, path: PathBuf) -> usize {
        let file = if self.roots.len() < MAX_OPEN { open_root(&path) } else { None };
        self.roots.push((path, file));
        self.roots.len() - 1
    }

    /// Returns the path of an entry on disk.
    pub(super) fn path(&self, entry: &Entry) -> PathBuf {
        let (root, below) = entry.location();
        let (path, _) = &self.roots[root];
        if below.is_empty() { path.clone() } else { path.join(below) }
    }

    /// Opens the file of an entry, also below a root that was moved.
    pub(super) fn open(&self, entry: &Entry) -> io::Result<WatchedFile> {
        match self.open_below_root(entry) {
            Some(Ok(file)) => Ok(file),
            Some(Err(_)) | None => WatchedFile::open_plain(&self.path(entry), self.follows_links),
        }
    }

    /// Returns the metadata of an entry's file. The file has this fingerprint, or is the one in its place.
    pub(super) fn metadata(&self, entry: &Entry, fingerprint: &Fingerprint) -> io::Result<Metadata> {
        let path = self.path(entry);
        let metadata = if self.follows_links { path.metadata() } else { path.symlink_metadata() };
        if metadata.as_ref().is_ok_and(|metadata| fingerprint.is_same_file(metadata)) {
            return metadata;
        }
        match self.open_below_root(entry) {
            Some(Ok(file)) => file.metadata(),
            Some(Err(_)) | None => metadata,
        }
    }

    #[cfg(unix)]
    fn open_below_root(&self, entry: &Entry) -> Option<io::Result<WatchedFile>> {
        let (root, below) = entry.location();
        let root = self.roots[root].1.as_ref()?;
        if below.is_empty() {
            return Some(root.try_clone().and_then(WatchedFile::of));
        }
        let flags = plain_flags(self.follows_links);
        let opened = rustix::fs::openat(root, below, flags, rustix::fs::Mode::empty());
        Some(opened.map_err(io::Error::from).and_then(|file| WatchedFile::of(File::from(file))))
    }

    #[cfg(not(unix))]
    fn open_below_root(&self, _: &Entry) -> Option<io::Result<WatchedFile>> {
        None
    }
}

/// Opens a root for reading; `None` if this is not possible.
#[cfg(unix)]
fn open_root(path: &Path) -> Option<File> {
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, plain_flags(true).bits().cast_signed());
    options.read(true).open(path).ok()
}

#[cfg(not(unix))]
fn open_root(_: &Path) -> Option<File> {
    None
}
