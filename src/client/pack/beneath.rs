//! Opens files and directories below an open directory, without following a symbolic link on the way.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, statat};

/// The path leads elsewhere than when it was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was replaced by another file or a symlink")]
pub(super) struct Replaced;

impl From<Replaced> for io::Error {
    fn from(replaced: Replaced) -> Self {
        Self::other(replaced)
    }
}

/// Returns whether an error says that the path leads elsewhere than when it was listed.
pub(super) fn is_replaced(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(source) if source.is::<Replaced>())
}

/// Device and number of a file, which identify it as long as it is open.
pub(super) type FileId = (u64, u64);

/// Returns the device and number of an open file.
#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the types of the fields differ between systems")]
pub(super) fn id_of(file: impl AsFd) -> io::Result<FileId> {
    let found = fstat(file)?;
    Ok((found.st_dev as u64, found.st_ino as u64))
}

/// Opens the directory `name` of the directory `parent`, for listing it.
///
/// # Errors
/// [`Replaced`] if the name is a symbolic link.
pub(super) fn open_directory(parent: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    open_at(parent.as_fd(), name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW)
}

/// Opens the directory at `path` below `root`.
///
/// # Errors
/// [`Replaced`] if a component of the path is a symbolic link.
pub(super) fn open_directory_beneath(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let mut names = path.iter();
    let first = names.next().ok_or(io::ErrorKind::InvalidInput)?;
    names.try_fold(open_directory(root, first)?, open_directory)
}

/// Opens the file `name` of the directory `parent`, with these flags.
///
/// # Errors
/// [`Replaced`] if the name is a symbolic link.
pub(super) fn open_file(parent: impl AsFd, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
    open_at(parent.as_fd(), name, flags | OFlags::NOFOLLOW)
}

fn open_at(parent: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
    openat(parent, name, flags, Mode::empty()).map_err(|error| {
        // Systems report a link by different errors, also by those of other causes.
        let found = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_link = found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink);
        if is_link { Replaced.into() } else { error.into() }
    })
}
