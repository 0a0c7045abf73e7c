//! The tree that is being unpacked: files and directories first, links after all of them, times and permissions last.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{UnpackError, UnpackedFile, Watch};
use crate::domain::archive_path::{ArchivePath, LinkTarget};

/// The most bytes of paths of directories that no entry tells of: a few bytes of a path can stand for hundreds of them.
const MAX_UNTOLD: usize = 16 << 20;

/// A directory and what was unpacked into it.
pub(super) struct Tree<'a> {
    root: &'a Path,
    /// Permissions that new directories may have.
    allowed: u32,
    directories: BTreeMap<ArchivePath, Directory>,
    links: Vec<(ArchivePath, LinkTarget)>,
    files: Vec<UnpackedFile>,
    open: Option<File>,
    /// How many entries there may still be, directories that are not told of among them.
    left: usize,
    limit: usize,
    untold: usize,
}

/// A directory that was made.
struct Directory {
    /// Whether an entry told of it, and not only of something in it.
    is_told: bool,
    mode: u32,
    modified: Option<SystemTime>,
}

/// A file that is being written.
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

impl<'a> Tree<'a> {
    /// A tree of at most `limit` entries in the empty directory `root`.
    pub(super) fn new(root: &'a Path, limit: usize) -> Result<Self, UnpackError> {
        let allowed = usual_mode(root).map_err(|source| failed("the directory", source))?;
        let (directories, links) = (BTreeMap::new(), Vec::new());
        Ok(Self { root, allowed, directories, links, files: Vec::new(), open: None, left: limit, limit, untold: 0 })
    }

    /// Makes a directory, and those that it is in.
    pub(super) fn directory(
        &mut self,
        path: &ArchivePath,
        mode: u32,
        modified: Option<SystemTime>,
    ) -> Result<(), UnpackError> {
        match self.directories.get_mut(path) {
            Some(directory) if directory.is_told => return Err(twice(path)),
            Some(directory) => *directory = Directory { is_told: true, mode, modified },
            None => {
                self.make_parents(path)?;
                self.make(path, Directory { is_told: true, mode, modified })?;
            }
        }
        Ok(())
    }

    /// Makes a file to be written, and the directories that it is in.
    pub(super) fn file(&mut self, path: &ArchivePath, mode: u32) -> Result<OpenFile<'_>, UnpackError> {
        self.make_parents(path)?;
        self.count()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // The umask takes from it what this user never grants.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let file = options.open(self.disk_path(path)).map_err(|source| of_create(path, source))?;
        self.files.push(UnpackedFile { name: path.as_str().to_owned(), size: 0 });
        let entry = self.files.last_mut().expect("it was pushed");
        Ok(OpenFile { file: self.open.insert(file), entry })
    }

    /// Ends the file that was made last.
    #[expect(clippy::unnecessary_wraps, reason = "every step of unpacking can fail")]
    pub(super) fn finish_file(&mut self, modified: Option<SystemTime>) -> Result<(), UnpackError> {
        if let (Some(file), Some(modified)) = (self.open.take(), modified) {
            // A time that the file system cannot hold is no reason to lose the file.
            let _ = file.set_modified(modified);
        }
        Ok(())
    }

    /// Keeps a link for later.
    pub(super) fn link(&mut self, path: ArchivePath, target: LinkTarget) -> Result<(), UnpackError> {
        self.count()?;
        self.links.push((path, target));
        Ok(())
    }

    /// Makes the links, then gives directories their times and permissions, those within others first.
    pub(super) fn finish(mut self, watch: &Watch) -> Result<Vec<UnpackedFile>, UnpackError> {
        for (path, target) in std::mem::take(&mut self.links) {
            watch.check()?;
            self.make_parents(&path)?;
            make_link(&target, &self.disk_path(&path)).map_err(|source| of_create(&path, source))?;
        }
        for (path, directory) in self.directories.iter().rev() {
            let disk_path = self.disk_path(path);
            if let Some(modified) = directory.modified {
                let _ = File::open(&disk_path).and_then(|opened| opened.set_modified(modified));
            }
            permit(&disk_path, directory.mode & self.allowed).map_err(|source| failed(path.as_str(), source))?;
        }
        Ok(self.files)
    }

    fn count(&mut self) -> Result<(), UnpackError> {
        self.left = self.left.checked_sub(1).ok_or(UnpackError::TooMany { limit: self.limit })?;
        Ok(())
    }

    fn make_parents(&mut self, path: &ArchivePath) -> Result<(), UnpackError> {
        let missing = std::iter::successors(path.parent(), ArchivePath::parent);
        let missing: Vec<_> = missing.take_while(|parent| !self.directories.contains_key(parent)).collect();
        for parent in missing.into_iter().rev() {
            self.untold += parent.as_str().len();
            if self.untold > MAX_UNTOLD {
                let why = "lies with others in too many directories that the archive does not tell of";
                return Err(UnpackError::refused(path.as_str().as_bytes(), &why));
            }
            self.make(&parent, Directory { is_told: false, mode: 0o777, modified: None })?;
        }
        Ok(())
    }

    fn make(&mut self, path: &ArchivePath, directory: Directory) -> Result<(), UnpackError> {
        self.count()?;
        make_private(&self.disk_path(path)).map_err(|source| of_create(path, source))?;
        self.directories.insert(path.clone(), directory);
        Ok(())
    }

    fn disk_path(&self, path: &ArchivePath) -> PathBuf {
        self.root.join(path.as_str())
    }
}

/// Makes a directory that only this user can look into. What exists already is an error.
pub(in crate::client) fn make_private(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no such permissions"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// What a new directory in `root` is allowed, as this user's umask has it.
#[cfg(unix)]
pub(in crate::client) fn usual_mode(root: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    let probe = root.join("probe");
    fs::create_dir(&probe)?;
    let mode = fs::metadata(&probe).map(|metadata| metadata.permissions().mode() & 0o777);
    fs::remove_dir(&probe)?;
    mode
}

#[cfg(not(unix))]
pub(in crate::client) fn usual_mode(_: &Path) -> io::Result<u32> {
    Ok(0o777)
}

/// Gives a directory its permissions.
#[cfg(unix)]
pub(in crate::client) fn permit(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
pub(in crate::client) fn permit(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_link(target: &LinkTarget, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target.as_str(), path)
}

/// Links need a privilege there, and must say what they lead to.
#[cfg(not(unix))]
fn make_link(_: &LinkTarget, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system is not asked for symbolic links"))
}

fn twice(path: &ArchivePath) -> UnpackError {
    let why = "is there twice, or under a name that this file system takes for the same";
    UnpackError::refused(path.as_str().as_bytes(), &why)
}

/// What exists already was unpacked before: nothing else can be there.
fn of_create(path: &ArchivePath, source: io::Error) -> UnpackError {
    if source.kind() == io::ErrorKind::AlreadyExists { twice(path) } else { failed(path.as_str(), source) }
}

fn failed(entry: &str, source: io::Error) -> UnpackError {
    UnpackError::Write { entry: entry.to_owned(), source }
}
