//! Tree whose entries are opened relative to their open directory, without following symbolic links.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::vec;

use rustix::fs::Dir;

use super::super::beneath::{FileId, Replaced, id_of, open_directory, open_directory_beneath};
use super::info::InfoKind;
use super::location::Location;
use super::tree::{TreeEntry, TreeError, TreeFault};

/// Maximum number of directories that are kept open, whatever the depth of the tree.
///
/// A directory further up is opened again once its subdirectories have been listed.
const MAX_OPEN: usize = 16;

/// Tree whose entries are opened relative to their open directory.
///
/// A directory that another program replaces by a symbolic link after it was listed is an error.
pub(super) struct HandleTree {
    root: Rc<OwnedFd>,
    /// Directories from the root to the current one.
    levels: Vec<Level>,
    /// Last returned entry, if it is a directory to be listed next.
    entered: Option<PathBuf>,
    has_started: bool,
}

/// A directory whose entries are being returned.
struct Level {
    below: PathBuf,
    directory: Option<Rc<OwnedFd>>,
    id: FileId,
    names: vec::IntoIter<OsString>,
}

impl HandleTree {
    /// Creates the tree of an open directory.
    pub(super) fn of(root: OwnedFd) -> Self {
        Self { root: Rc::new(root), levels: Vec::new(), entered: None, has_started: false }
    }

    /// Returns the next entry, except those for which `is_excluded` holds, and what is below them.
    pub(super) fn next(&mut self, is_excluded: &dyn Fn(&Path) -> bool) -> Option<Result<TreeEntry, TreeError>> {
        if !self.has_started {
            self.has_started = true;
            return Some(self.entry(PathBuf::new(), self.root.clone(), OsStr::new(".").to_owned()));
        }
        if let Some(below) = self.entered.take()
            && let Err(error) = self.enter(&below)
        {
            return Some(Err(TreeError { below, cause: TreeFault::Read(error) }));
        }
        loop {
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            let below = level.below.join(&name);
            if is_excluded(&below) {
                continue;
            }
            return Some(match self.directory() {
                Ok(directory) => self.entry(below, directory, name),
                Err(error) => {
                    let below = self.levels.pop().map(|level| level.below).unwrap_or_default();
                    Err(TreeError { below, cause: TreeFault::Read(error) })
                }
            });
        }
    }

    /// Leaves out what is below the last returned entry.
    pub(super) fn skip_directory(&mut self) {
        self.entered = None;
    }

    fn entry(&mut self, below: PathBuf, directory: Rc<OwnedFd>, name: OsString) -> Result<TreeEntry, TreeError> {
        let location = Location::Below { directory, name };
        match location.info() {
            Ok(info) => {
                self.entered = (info.kind == InfoKind::Directory).then(|| below.clone());
                Ok(TreeEntry { below, location, info })
            }
            Err(error) => Err(TreeError { below, cause: TreeFault::Read(error) }),
        }
    }

    /// Opens and lists a directory of the current level, or the root.
    fn enter(&mut self, below: &Path) -> io::Result<()> {
        let directory = match below.file_name() {
            Some(name) => Rc::new(open_directory(self.directory()?, name)?),
            None => self.root.clone(),
        };
        let names = names_in(&directory)?.into_iter();
        let id = id_of(&directory)?;
        self.levels.push(Level { below: below.to_owned(), directory: Some(directory), id, names });
        if let Some(above) = self.levels.len().checked_sub(MAX_OPEN + 1) {
            self.levels[above].directory = None;
        }
        Ok(())
    }

    /// Returns the directory of the current level; opens it again if it was closed meanwhile.
    fn directory(&mut self) -> io::Result<Rc<OwnedFd>> {
        let Some(level) = self.levels.last_mut() else { return Ok(self.root.clone()) };
        if let Some(directory) = &level.directory {
            return Ok(directory.clone());
        }
        let directory = if level.below.as_os_str().is_empty() {
            self.root.clone()
        } else {
            Rc::new(open_directory_beneath(&self.root, &level.below)?)
        };
        if id_of(&directory)? != level.id {
            return Err(Replaced.into());
        }
        level.directory = Some(directory.clone());
        Ok(directory)
    }

    /// Returns the number of levels whose directory is open.
    #[cfg(test)]
    pub(super) fn open_levels(&self) -> usize {
        self.levels.iter().filter(|level| level.directory.is_some()).count()
    }
}

/// Returns the names in a directory, sorted.
fn names_in(directory: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::new(directory.as_fd().try_clone_to_owned()?)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
