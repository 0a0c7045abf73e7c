//! Directory tree of an archive: writes files and directories, then links, then times and permissions.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{UnpackError, UnpackedFile, Watch};
use crate::client::save_warning::LostProperty;
use crate::domain::archive::{ArchivePath, SymlinkTarget};

/// Maximum total length of the paths of implicit directories, in bytes.
///
/// One entry with a deep path can imply hundreds of directories, each with a path of its own.
const MAX_IMPLICIT: usize = 16 << 20;

/// Target directory and its unpacked entries.
pub(super) struct UnpackTree<'a> {
    root: &'a Path,
    /// Permissions of new directories under this user's umask.
    allowed: u32,
    directories: BTreeMap<ArchivePath, Directory>,
    links: Vec<(ArchivePath, SymlinkTarget)>,
    files: Vec<UnpackedFile>,
    open: Option<File>,
    /// Number of entries that may still be created, including implicit directories.
    remaining: usize,
    limit: usize,
    /// Total length of the paths of implicit directories, in bytes.
    implicit: usize,
}

/// Created directory.
struct Directory {
    /// Whether the archive has an entry for the directory. Otherwise the path of another entry implies the directory.
    is_explicit: bool,
    mode: u32,
    modified: Option<SystemTime>,
}

/// File that is being written.
pub(super) struct OpenFile<'a> {
    file: &'a mut File,
    entry: &'a mut UnpackedFile,
}

impl OpenFile<'_> {
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        self.file.write_all(bytes).map_err(|source| failed(&self.entry.name, source))?;
        self.entry.size += bytes.len() as u64;
        Ok(())
    }
}

impl<'a> UnpackTree<'a> {
    /// Creates a tree of at most `limit` entries in the empty directory `root`.
    pub(super) fn new(root: &'a Path, limit: usize) -> Result<Self, UnpackError> {
        let allowed = default_directory_mode(root).map_err(|source| failed("the directory", source))?;
        let (directories, links) = (BTreeMap::new(), Vec::new());
        Ok(Self {
            root,
            allowed,
            directories,
            links,
            files: Vec::new(),
            open: None,
            remaining: limit,
            limit,
            implicit: 0,
        })
    }

    /// Creates a directory and its missing parent directories.
    pub(super) fn directory(
        &mut self,
        path: &ArchivePath,
        mode: u32,
        modified: Option<SystemTime>,
    ) -> Result<(), UnpackError> {
        match self.directories.get_mut(path) {
            Some(directory) if directory.is_explicit => return Err(duplicate(path)),
            Some(directory) => *directory = Directory { is_explicit: true, mode, modified },
            None => {
                self.make_parents(path)?;
                self.make(path, Directory { is_explicit: true, mode, modified })?;
            }
        }
        Ok(())
    }

    /// Creates a file and its missing parent directories.
    pub(super) fn file(&mut self, path: &ArchivePath, mode: u32) -> Result<OpenFile<'_>, UnpackError> {
        self.make_parents(path)?;
        self.count()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // The umask applies to `mode`.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let file = options.open(self.disk_path(path)).map_err(|source| create_error(path, source))?;
        self.files.push(UnpackedFile { name: path.as_str().to_owned(), size: 0 });
        let entry = self.files.last_mut().expect("a file was added");
        Ok(OpenFile { file: self.open.insert(file), entry })
    }

    /// Closes the current file and sets its modification time.
    #[expect(clippy::unnecessary_wraps, reason = "every step of unpacking can fail")]
    pub(super) fn finish_file(&mut self, modified: Option<SystemTime>) -> Result<(), UnpackError> {
        if let (Some(file), Some(modified)) = (self.open.take(), modified) {
            // Best effort: the file system may not support this time.
            let _ = file.set_modified(modified);
        }
        Ok(())
    }

    /// Records a symbolic link, which [`Self::finish`] creates.
    pub(super) fn link(&mut self, path: ArchivePath, target: SymlinkTarget) -> Result<(), UnpackError> {
        self.count()?;
        self.links.push((path, target));
        Ok(())
    }

    /// Creates the symbolic links, then sets times and permissions of directories, subdirectories first.
    pub(super) fn finish(mut self, watch: &Watch) -> Result<Vec<UnpackedFile>, UnpackError> {
        for (path, target) in std::mem::take(&mut self.links) {
            watch.check()?;
            self.make_parents(&path)?;
            // FAT and some network file systems have no symbolic links.
            let result = make_link(&target, &self.disk_path(&path));
            watch
                .tolerate(LostProperty::Symlink, Path::new(path.as_str()), result)
                .map_err(|source| create_error(&path, source))?;
        }
        for (path, directory) in self.directories.iter().rev() {
            let disk_path = self.disk_path(path);
            if let Some(modified) = directory.modified {
                let _ = File::open(&disk_path).and_then(|opened| opened.set_modified(modified));
            }
            // The content is complete, so it is kept with other permissions.
            if let Err(error) = permit(&disk_path, directory.mode & self.allowed) {
                watch.warn(LostProperty::Permissions, Path::new(path.as_str()), &error);
            }
        }
        Ok(self.files)
    }

    fn count(&mut self) -> Result<(), UnpackError> {
        self.remaining = self.remaining.checked_sub(1).ok_or(UnpackError::TooMany { limit: self.limit })?;
        Ok(())
    }

    fn make_parents(&mut self, path: &ArchivePath) -> Result<(), UnpackError> {
        let missing = std::iter::successors(path.parent(), ArchivePath::parent);
        let missing: Vec<_> = missing.take_while(|parent| !self.directories.contains_key(parent)).collect();
        for parent in missing.into_iter().rev() {
            self.implicit += parent.as_str().len();
            if self.implicit > MAX_IMPLICIT {
                let reason = "needs too many directories that have no entry of their own";
                return Err(UnpackError::rejected(path.as_str().as_bytes(), &reason));
            }
            self.make(&parent, Directory { is_explicit: false, mode: 0o777, modified: None })?;
        }
        Ok(())
    }

    fn make(&mut self, path: &ArchivePath, directory: Directory) -> Result<(), UnpackError> {
        self.count()?;
        make_private(&self.disk_path(path)).map_err(|source| create_error(path, source))?;
        self.directories.insert(path.clone(), directory);
        Ok(())
    }

    fn disk_path(&self, path: &ArchivePath) -> PathBuf {
        self.root.join(path.as_str())
    }
}

/// Creates a directory that is accessible to this user only. Fails if the path exists.
pub(in crate::client) fn make_private(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has these permissions"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Returns the permissions of a new directory in `root` under this user's umask.
#[cfg(unix)]
pub(in crate::client) fn default_directory_mode(root: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    let probe = root.join("probe");
    fs::create_dir(&probe)?;
    let mode = fs::metadata(&probe).map(|metadata| metadata.permissions().mode() & 0o777);
    fs::remove_dir(&probe)?;
    mode
}

#[cfg(not(unix))]
pub(in crate::client) fn default_directory_mode(_: &Path) -> io::Result<u32> {
    Ok(0o777)
}

/// Sets the permissions of a directory.
#[cfg(unix)]
pub(in crate::client) fn permit(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
pub(in crate::client) fn permit(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_link(target: &SymlinkTarget, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target.as_str(), path)
}

/// Fails: on Windows, symbolic links need a privilege and the kind of their target.
#[cfg(not(unix))]
fn make_link(_: &SymlinkTarget, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "symbolic links are not supported on this system"))
}

fn duplicate(path: &ArchivePath) -> UnpackError {
    let reason = "is a duplicate, or has a name that this file system treats as equal to another one";
    UnpackError::rejected(path.as_str().as_bytes(), &reason)
}

/// Converts an error of creating an entry. An existing path is a duplicate, since the directory was empty.
fn create_error(path: &ArchivePath, source: io::Error) -> UnpackError {
    if source.kind() == io::ErrorKind::AlreadyExists { duplicate(path) } else { failed(path.as_str(), source) }
}

fn failed(entry: &str, source: io::Error) -> UnpackError {
    UnpackError::Write { entry: entry.to_owned(), source }
}
