//! Entries of a directory tree, parents first and sorted by name.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

#[cfg(unix)]
use super::handles::HandleTree;
use super::info::{Info, InfoKind};
use super::location::Location;

/// Entry of a tree.
pub(super) struct TreeEntry {
    /// Path below the root; empty for the root itself.
    pub(super) below: PathBuf,
    /// Source of the entry.
    pub(super) location: Location,
    /// Metadata.
    pub(super) info: Info,
}

/// Entry that cannot be listed.
pub(super) struct TreeError {
    /// Path below the root; empty for the root itself.
    pub(super) below: PathBuf,
    /// Why it cannot be listed.
    pub(super) cause: TreeFault,
}

/// Reason why an entry cannot be listed.
pub(super) enum TreeFault {
    /// A followed link leads to a directory that contains the link.
    Loop,
    /// A followed link leads nowhere.
    BrokenLink,
    /// The entry cannot be read.
    Read(io::Error),
}

/// Tree of a file or directory.
pub(super) enum WalkedTree {
    /// Opens everything by its path.
    Paths(PathTree),
    /// Opens everything relative to an open directory, without following symbolic links.
    #[cfg(unix)]
    Handles(HandleTree),
}

impl WalkedTree {
    /// Returns the next entry, except those for which `is_excluded` holds, and what is below them.
    pub(super) fn next(&mut self, is_excluded: &dyn Fn(&Path) -> bool) -> Option<Result<TreeEntry, TreeError>> {
        match self {
            Self::Paths(tree) => tree.next(is_excluded),
            #[cfg(unix)]
            Self::Handles(tree) => tree.next(is_excluded),
        }
    }

    /// Leaves out what is below the last returned entry, which must be a directory.
    pub(super) fn skip_directory(&mut self) {
        match self {
            Self::Paths(tree) => tree.entries.skip_current_dir(),
            #[cfg(unix)]
            Self::Handles(tree) => tree.skip_directory(),
        }
    }
}

/// Tree whose entries are opened by their paths.
pub(super) struct PathTree {
    root: PathBuf,
    entries: walkdir::IntoIter,
    follows_links: bool,
}

impl PathTree {
    /// Creates the tree of a file or directory.
    pub(super) fn of(root: PathBuf, follows_links: bool) -> Self {
        let entries = WalkDir::new(&root).follow_links(follows_links).sort_by_file_name().into_iter();
        Self { root, entries, follows_links }
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }

    /// Returns the next entry, except those for which `is_excluded` holds, and what is below them.
    pub(super) fn next(&mut self, is_excluded: &dyn Fn(&Path) -> bool) -> Option<Result<TreeEntry, TreeError>> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(&self.root).to_owned();
                    let below = self.below(&path);
                    if is_excluded(&below) {
                        continue;
                    }
                    return Some(Err(TreeError { below, cause: fault(&path, error) }));
                }
            };
            let below = self.below(entry.path());
            if is_excluded(&below) {
                if entry.file_type().is_dir() {
                    self.entries.skip_current_dir();
                }
                continue;
            }
            let location = Location::Path { path: entry.into_path(), follows_links: self.follows_links };
            return Some(match location.info() {
                Ok(info) => Ok(TreeEntry { below, location, info }),
                Err(error) => Err(TreeError { below, cause: TreeFault::Read(error) }),
            });
        }
    }
}

fn fault(path: &Path, error: walkdir::Error) -> TreeFault {
    let is_missing = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    if error.loop_ancestor().is_some() {
        return TreeFault::Loop;
    }
    if path.is_symlink() && path.metadata().is_err_and(|error| is_missing(&error)) {
        return TreeFault::BrokenLink;
    }
    TreeFault::Read(error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into()))
}

impl TreeEntry {
    /// Returns whether the entry is a directory.
    pub(super) fn is_directory(&self) -> bool {
        self.info.kind == InfoKind::Directory
    }
}
