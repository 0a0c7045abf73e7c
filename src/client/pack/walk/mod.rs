//! Walks directory trees in an order that does not depend on the file system.
//!
//! On Unix, a directory is read through its open handle: another program that replaces a directory or file below a root
//! by a symbolic link cannot make the walk leave the root.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::PackError;
use super::globs::PathGlobs;
use super::plan::{Entry, FileContent, Kind, Plan};
use super::roots::Roots;
use super::spool::Spool;
use crate::client::upload::fills_its_size;
use crate::domain::archive::{ArchivePath, InvalidArchivePath, MAX_ENTRIES, SymlinkTarget};

#[cfg(unix)]
mod handles;
mod info;
mod location;
mod problems;
mod sizes;
mod tree;

#[cfg(unix)]
use self::handles::HandleTree;
use self::info::{Info, InfoKind};
use self::problems::{Problems, WalkProblem, name_text};
use self::sizes::DoubtfulSizes;
use self::tree::{PathTree, TreeEntry, TreeFault, WalkedTree};

/// File or directory to pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackInput {
    /// Name in the archive; empty if the contents of the directory are the top level of the archive.
    pub name: String,
    /// Path on disk.
    pub path: PathBuf,
}

/// Options for packing files.
#[derive(Debug)]
pub struct PackOptions {
    /// Entries to leave out.
    pub exclude: PathGlobs,
    /// Whether to pack the targets of symbolic links instead of the links.
    pub dereference: bool,
    /// Whether to skip what cannot be sent, instead of failing.
    pub skip_unsendable: bool,
    /// Whether to send the size that a file has now, although it may grow.
    pub snapshot: bool,
    /// Maximum size in bytes of the temporary copy of files of unknown size, such as those of `/proc`.
    pub spool_limit: u64,
}

impl Default for PackOptions {
    fn default() -> Self {
        let exclude = PathGlobs::default();
        Self { exclude, dereference: false, skip_unsendable: false, snapshot: false, spool_limit: u64::MAX }
    }
}

/// Result of packing.
#[derive(Debug)]
pub struct Packed {
    /// Plan of the archive.
    pub plan: Plan,
    /// Skipped entries in the order of their paths.
    pub skipped: Vec<SkippedEntry>,
}

/// Skipped entry: a socket, FIFO or device, or an entry that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedEntry {
    /// Path within the archive, with `\xNN` for bytes that are not UTF-8.
    #[serde(rename = "name")]
    pub path: String,
    /// Reason, such as "is a socket": the text continues a sentence that starts with the path.
    pub reason: String,
}

/// Plans an archive of `inputs`. Blocks: reads the metadata of every file, and the content of generated files.
///
/// Follows symbolic links given as `inputs`. Symbolic links below them are packed as links, which must point to a path
/// within the archive, or followed.
pub fn pack(mut inputs: Vec<PackInput>, options: &PackOptions) -> Result<Packed, PackError> {
    let exclude = &options.exclude;
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    let named = !inputs.is_empty();
    inputs.retain(|input| {
        input.name.is_empty() || !exclude.matches(input.path.file_name().map_or(Path::new(&input.name), Path::new))
    });
    if named && inputs.is_empty() {
        return Err(PackError::Nothing);
    }
    let mut walk = Walk {
        options,
        roots: Roots::new(options.dereference),
        spool: Spool::default(),
        sizes: DoubtfulSizes::default(),
        entries: Vec::new(),
        problems: Problems::new(options.skip_unsendable),
        excluded: false,
    };
    for input in &inputs {
        walk.input(input)?;
    }
    let skipped = walk.problems.check()?;
    if walk.entries.is_empty() && !skipped.is_empty() && options.skip_unsendable {
        return Err(PackError::NothingSendable(skipped));
    }
    if walk.entries.is_empty() && walk.excluded {
        return Err(PackError::Nothing);
    }
    Ok(Packed { plan: Plan::new(walk.entries, walk.roots, walk.spool, options.snapshot), skipped })
}

struct Walk<'a> {
    options: &'a PackOptions,
    roots: Roots,
    spool: Spool,
    sizes: DoubtfulSizes,
    entries: Vec<Entry>,
    problems: Problems,
    /// Whether an entry was excluded.
    excluded: bool,
}

impl Walk<'_> {
    fn input(&mut self, input: &PackInput) -> Result<(), PackError> {
        let typed = || input.path.display().to_string();
        let metadata = match fs::metadata(&input.path) {
            Ok(metadata) => metadata,
            Err(source) => {
                // A path that does not exist was mistyped: this is never skipped.
                let is_missing = source.kind() == io::ErrorKind::NotFound;
                self.problems
                    .add(typed(), if is_missing { WalkProblem::Missing(source) } else { WalkProblem::Read(source) });
                return Ok(());
            }
        };
        if !metadata.is_dir() && !metadata.is_file() {
            return match Info::of(&metadata).kind {
                InfoKind::Special(kind) if self.options.skip_unsendable => {
                    self.problems.add(typed(), WalkProblem::Special(kind));
                    Ok(())
                }
                _ => Err(PackError::Special(typed())),
            };
        }
        // A symbolic link on the command line is replaced by its target.
        let target = fs::canonicalize(&input.path).unwrap_or_else(|_| input.path.clone());
        let root = self.roots.add(target.clone());
        let name_of = |below: &Path| {
            let name = name_text(&path_in_archive(&input.name, below));
            if name.is_empty() { typed() } else { name }
        };
        let mut tree = match self.tree(root, target, metadata.is_dir()) {
            Ok(tree) => tree,
            Err(source) => {
                self.problems.add(name_of(Path::new("")), WalkProblem::Read(source));
                return Ok(());
            }
        };
        let (options, excluded) = (self.options, Cell::new(false));
        let is_excluded = |below: &Path| {
            let is_excluded =
                !below.as_os_str().is_empty() && options.exclude.matches(&path_in_archive(&input.name, below));
            excluded.set(excluded.get() || is_excluded);
            is_excluded
        };
        let offset = if input.name.is_empty() { 0 } else { input.name.len() + 1 };
        while let Some(entry) = tree.next(&is_excluded) {
            match entry {
                Err(error) => self.unlisted(name_of(&error.below), error.cause),
                Ok(entry) if entry.below.as_os_str().is_empty() && input.name.is_empty() => {}
                Ok(entry) => {
                    let name = path_in_archive(&input.name, &entry.below);
                    if let Err(problem) = self.entry(&name, (root, offset), &entry)? {
                        self.problems.add(name_text(&name), problem);
                        if entry.is_directory() {
                            tree.skip_directory();
                        }
                    }
                }
            }
            if self.entries.len() > MAX_ENTRIES {
                return Err(PackError::TooMany);
            }
        }
        self.excluded |= excluded.get();
        Ok(())
    }

    /// Returns the entries of a root. Below a directory no symbolic link is followed, unless the options say so.
    fn tree(&self, root: usize, target: PathBuf, is_directory: bool) -> io::Result<WalkedTree> {
        #[cfg(unix)]
        if is_directory && !self.options.dereference {
            return Ok(WalkedTree::Handles(HandleTree::of(self.roots.open_root(root)?.into())));
        }
        #[cfg(not(unix))]
        let _ = (root, is_directory);
        Ok(WalkedTree::Paths(PathTree::of(target, self.options.dereference)))
    }

    /// Notes an entry that cannot be listed: a directory, or a symbolic link that is to be followed.
    fn unlisted(&mut self, name: String, cause: TreeFault) {
        let problem = match cause {
            TreeFault::Loop => WalkProblem::Loop,
            TreeFault::BrokenLink => WalkProblem::BrokenLink,
            TreeFault::Read(error) => {
                // The directory itself was readable as an entry of its parent.
                self.entries.pop_if(|entry| entry.is_directory() && entry.path() == name);
                WalkProblem::Read(error)
            }
        };
        self.problems.add(name, problem);
    }

    /// Adds an entry; the outer error ends packing.
    fn entry(
        &mut self,
        name: &Path,
        (root, below): (usize, usize),
        entry: &TreeEntry,
    ) -> Result<Result<(), WalkProblem>, PackError> {
        if let InfoKind::Special(kind) = entry.info.kind {
            return Ok(Err(WalkProblem::Special(kind)));
        }
        let parsed = name.to_str().ok_or(InvalidArchivePath::NotUnicode).and_then(ArchivePath::parse);
        let archive_path = match parsed {
            Ok(path) => path,
            Err(reason) => return Ok(Err(WalkProblem::Name(reason))),
        };
        let kind = match entry.info.kind {
            InfoKind::Directory => Kind::Directory,
            InfoKind::Link => match entry.location.read_link() {
                Ok(target) => match SymlinkTarget::parse(&target, &archive_path) {
                    Ok(target) => Kind::Link { target },
                    Err(reason) => return Ok(Err(WalkProblem::Link(reason))),
                },
                Err(source) => return Ok(Err(WalkProblem::Read(source))),
            },
            InfoKind::File | InfoKind::Special(_) => match self.file(&archive_path, entry)? {
                Ok((size, content)) => Kind::File { size, content },
                Err(source) => return Ok(Err(WalkProblem::Read(source))),
            },
        };
        let root = u32::try_from(root).expect("a command line has fewer than 2^32 paths");
        let below = u16::try_from(below).expect("a name has at most 255 bytes");
        let mut packed = Entry::new(archive_path, (root, below), entry.info.mode, kind);
        packed.modified = entry.info.modified;
        self.entries.push(packed);
        Ok(Ok(()))
    }

    /// Returns size and content of a file; copies the content of a file whose size is wrong.
    fn file(
        &mut self,
        name: &ArchivePath,
        TreeEntry { location, info, .. }: &TreeEntry,
    ) -> Result<io::Result<(u64, FileContent)>, PackError> {
        let on_disk = (info.size, FileContent::OnDisk(info.fingerprint));
        if !self.sizes.is_doubtful(location, info) {
            let readable =
                if self.options.skip_unsendable { location.open().map(drop) } else { location.check_readable() };
            return Ok(readable.map(|()| on_disk));
        }
        match location.open().and_then(|file| Ok((fills_its_size(file.file(), &file.metadata()?)?, file))) {
            Ok((true, _)) => Ok(Ok(on_disk)),
            Ok((false, file)) => {
                let spooled = self.spool.add(file.file(), name.as_str(), self.options.spool_limit)?;
                Ok(spooled.map(|(start, size)| (size, FileContent::Spooled(start))))
            }
            Err(source) => Ok(Err(source)),
        }
    }
}

/// Returns the path within the archive of an entry at `below`, a path below the root.
fn path_in_archive(input: &str, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { PathBuf::from(input) } else { Path::new(input).join(below) }
}

#[cfg(test)]
mod swap_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unix_tests;
