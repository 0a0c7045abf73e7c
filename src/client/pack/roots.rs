//! The top-level files and directories of an archive on disk.

use std::fs::{File, Metadata};
use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(unix)]
use super::beneath::{FileId, Replaced, id_of, open_directory_beneath, open_file};
use super::plan::Entry;
#[cfg(unix)]
use crate::client::upload::plain_flags;
use crate::client::upload::{Fingerprint, WatchedFile};

/// Maximum number of roots that are kept open. A command line with many paths leaves descriptors for other uses.
#[cfg(unix)]
const MAX_OPEN: usize = 64;

/// Top-level paths. The first of them are kept open, so that their files are found after they were moved.
#[derive(Debug, Default)]
pub(super) struct Roots {
    all: Vec<Root>,
    follows_links: bool,
    /// Directory of the last opened file: its root, and its path below the root.
    #[cfg(unix)]
    last_directory: Mutex<Option<(usize, PathBuf, Arc<OwnedFd>)>>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    #[cfg(unix)]
    file: Option<File>,
    /// Identity when the root was added; `None` if it could not be opened.
    #[cfg(unix)]
    id: Option<FileId>,
}

impl Roots {
    /// Creates an empty list; `follows_links` tells whether a symbolic link stands for its target.
    pub(super) fn new(follows_links: bool) -> Self {
        Self { follows_links, ..Self::default() }
    }

    /// Returns the path of an entry on disk.
    pub(super) fn path(&self, entry: &Entry) -> PathBuf {
        let (root, below) = entry.location();
        let path = &self.all[root].path;
        if below.is_empty() { path.clone() } else { path.join(Path::new(below)) }
    }

    /// Returns the metadata of an entry's file. The file has this fingerprint, or is the one in its place.
    pub(super) fn metadata(&self, entry: &Entry, fingerprint: &Fingerprint) -> io::Result<Metadata> {
        let path = self.path(entry);
        let metadata = if self.follows_links { path.metadata() } else { path.symlink_metadata() };
        if metadata.as_ref().is_ok_and(|metadata| fingerprint.is_same_file(metadata)) {
            return metadata;
        }
        // The metadata of another file only lead to a comparison with the content, which `open` reads.
        self.open(entry).and_then(|file| file.metadata()).or(metadata)
    }
}

#[cfg(unix)]
impl Roots {
    /// Adds a path and returns its index.
    pub(super) fn add(&mut self, path: PathBuf) -> usize {
        let file = open_root(&path, true).ok();
        let id = file.as_ref().and_then(|file| id_of(file).ok());
        self.all.push(Root { path, file: file.filter(|_| self.all.len() < MAX_OPEN), id });
        self.all.len() - 1
    }

    /// Opens the file of an entry, also below a root that was moved.
    ///
    /// Unless links are followed, the file is found below its root without passing a symbolic link.
    pub(super) fn open(&self, entry: &Entry) -> io::Result<WatchedFile> {
        let (root, below) = entry.location();
        if self.follows_links {
            return self.open_following(root, below, entry);
        }
        if below.is_empty() {
            return WatchedFile::of(self.open_root(root)?);
        }
        let below = Path::new(below);
        let (parent, name) = (below.parent().unwrap_or(below), below.file_name().unwrap_or_default());
        let file = open_file(self.directory(root, parent)?, name, plain_flags(false))?;
        WatchedFile::of(file.into())
    }

    /// Opens the directory at `below` a root. The last one stays open: files of a directory are read one after another.
    fn directory(&self, root: usize, below: &Path) -> io::Result<Arc<OwnedFd>> {
        let mut last = self.last_directory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of_root, path, directory)) = &*last
            && (*of_root, path.as_path()) == (root, below)
        {
            return Ok(directory.clone());
        }
        let is_root = below.as_os_str().is_empty();
        let directory: OwnedFd = match &self.all[root].file {
            Some(file) if !is_root => open_directory_beneath(file, below)?,
            _ if is_root => self.open_root(root)?.into(),
            _ => open_directory_beneath(self.open_root(root)?, below)?,
        };
        let directory = Arc::new(directory);
        *last = Some((root, below.to_owned(), directory.clone()));
        Ok(directory)
    }

    fn open_following(&self, root: usize, below: &str, entry: &Entry) -> io::Result<WatchedFile> {
        let opened = self.all[root].file.as_ref().map(|root| {
            if below.is_empty() {
                return root.try_clone().and_then(WatchedFile::of);
            }
            let file = rustix::fs::openat(root, below, plain_flags(true), rustix::fs::Mode::empty())?;
            WatchedFile::of(file.into())
        });
        match opened {
            Some(Ok(file)) => Ok(file),
            Some(Err(_)) | None => WatchedFile::open_plain(&self.path(entry), true),
        }
    }

    /// Returns a handle of the root with this index, of its own.
    ///
    /// # Errors
    /// Fails if another file has taken the path of a root that was not kept open.
    pub(super) fn open_root(&self, root: usize) -> io::Result<File> {
        let root = &self.all[root];
        if let Some(file) = &root.file {
            return file.try_clone();
        }
        let is_link = || !self.follows_links && root.path.is_symlink();
        let opened = open_root(&root.path, self.follows_links);
        let file = opened.map_err(|error| if is_link() { Replaced.into() } else { error })?;
        if root.id.is_some_and(|id| id_of(&file).is_ok_and(|found| found != id)) {
            return Err(Replaced.into());
        }
        Ok(file)
    }
}

#[cfg(not(unix))]
impl Roots {
    /// Adds a path and returns its index.
    pub(super) fn add(&mut self, path: PathBuf) -> usize {
        self.all.push(Root { path });
        self.all.len() - 1
    }

    /// Opens the file of an entry by its path: this system cannot open it relative to its root.
    pub(super) fn open(&self, entry: &Entry) -> io::Result<WatchedFile> {
        WatchedFile::open_plain(&self.path(entry), self.follows_links)
    }
}

/// Opens a root for reading.
#[cfg(unix)]
fn open_root(path: &Path, follows_links: bool) -> io::Result<File> {
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, plain_flags(follows_links).bits().cast_signed());
    options.read(true).open(path)
}
