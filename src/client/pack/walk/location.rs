//! Location of an entry on disk, from which its metadata and content are read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::info::Info;
use crate::client::upload::WatchedFile;

/// Location of an entry on disk.
#[derive(Debug)]
pub(super) enum Location {
    /// A path: in trees whose links are followed, of single files, and on systems without `openat`.
    Path {
        /// The path.
        path: PathBuf,
        /// Whether a symbolic link stands for its target.
        follows_links: bool,
    },
    /// A name in an open directory. Replacing a directory above by a symbolic link does not lead elsewhere.
    #[cfg(unix)]
    Below {
        /// The directory.
        directory: std::rc::Rc<std::os::fd::OwnedFd>,
        /// The name.
        name: std::ffi::OsString,
    },
}

impl Location {
    /// Reads the metadata.
    pub(super) fn info(&self) -> io::Result<Info> {
        match self {
            Self::Path { path, follows_links: true } => path.metadata().map(|metadata| Info::of(&metadata)),
            Self::Path { path, follows_links: false } => path.symlink_metadata().map(|metadata| Info::of(&metadata)),
            #[cfg(unix)]
            Self::Below { directory, name } => {
                Ok(Info::of_stat(&rustix::fs::statat(directory, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?))
            }
        }
    }

    /// Opens a regular file; never blocks on a FIFO or device.
    pub(super) fn open(&self) -> io::Result<WatchedFile> {
        match self {
            Self::Path { path, follows_links } => WatchedFile::open_plain(path, *follows_links),
            #[cfg(unix)]
            Self::Below { directory, name } => {
                let flags = crate::client::upload::plain_flags(false);
                WatchedFile::of(super::super::beneath::open_file(directory, name, flags)?.into())
            }
        }
    }

    /// Checks that the file can be read; opens it only where the system has no other way.
    pub(super) fn check_readable(&self) -> io::Result<()> {
        match self {
            Self::Path { path, .. } => check_readable(path),
            #[cfg(unix)]
            Self::Below { directory, name } => {
                use rustix::fs::{Access, AtFlags, accessat};
                Ok(accessat(directory, name, Access::READ_OK, AtFlags::empty())?)
            }
        }
    }

    /// Returns the target of a symbolic link, as bytes.
    pub(super) fn read_link(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Path { path, .. } => Ok(fs::read_link(path)?.into_os_string().into_encoded_bytes()),
            #[cfg(unix)]
            Self::Below { directory, name } => Ok(rustix::fs::readlinkat(directory, name, Vec::new())?.into_bytes()),
        }
    }
}

#[cfg(unix)]
fn check_readable(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::READ_OK)?)
}

#[cfg(not(unix))]
fn check_readable(path: &Path) -> io::Result<()> {
    fs::File::open(path).map(drop)
}
