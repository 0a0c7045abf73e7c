//! Walks directory trees in an order that does not depend on the file system.

use std::cell::Cell;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::WalkDir;

use super::error::PackError;
use super::exclude::Exclude;
use super::plan::{Entry, FileContent, Kind, Plan};
use super::roots::Roots;
use super::spool::Spool;
use crate::client::upload::{Fingerprint, WatchedFile, fills_its_size};
use crate::domain::archive::{ArchivePath, InvalidArchivePath, InvalidSymlinkTarget, MAX_ENTRIES, SymlinkTarget};

mod problems;
mod sizes;

use self::problems::{Problem, Problems, name_text};
use self::sizes::DoubtfulSizes;

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
    pub exclude: Exclude,
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
        let exclude = Exclude::default();
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
                self.problems.add(typed(), if is_missing { Problem::Missing(source) } else { Problem::Read(source) });
                return Ok(());
            }
        };
        if !metadata.is_dir() && !metadata.is_file() {
            return match special(metadata.file_type()).filter(|_| self.options.skip_unsendable) {
                Some(kind) => {
                    self.problems.add(typed(), Problem::Special(kind));
                    Ok(())
                }
                None => Err(PackError::Special(typed())),
            };
        }
        // A symbolic link on the command line is replaced by its target.
        let target = fs::canonicalize(&input.path).unwrap_or_else(|_| input.path.clone());
        let root = self.roots.add(target.clone());
        let (options, excluded) = (self.options, Cell::new(false));
        let is_excluded = |path: &Path| {
            let is_excluded = path != target && options.exclude.matches(&path_below(&input.name, &target, path));
            excluded.set(excluded.get() || is_excluded);
            is_excluded
        };
        let walk = WalkDir::new(&target).follow_links(options.dereference).sort_by_file_name().into_iter();
        let mut walk = walk.filter_entry(|entry| !is_excluded(entry.path()));
        while let Some(entry) = walk.next() {
            match entry {
                Err(error) if error.path().is_some_and(is_excluded) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(&target).to_owned();
                    let name =
                        Some(name_text(&path_below(&input.name, &target, &path))).filter(|name| !name.is_empty());
                    self.unreadable(name.unwrap_or_else(typed), &path, error);
                }
                Ok(entry) if entry.depth() == 0 && input.name.is_empty() => {}
                Ok(entry) => {
                    let below = if input.name.is_empty() { 0 } else { input.name.len() + 1 };
                    let name = match entry.depth() {
                        0 => PathBuf::from(&input.name),
                        _ => path_below(&input.name, &target, entry.path()),
                    };
                    let is_directory = entry.file_type().is_dir();
                    if let Err(problem) = self.entry(&name, (root, below), entry.path())? {
                        self.problems.add(name_text(&name), problem);
                        if is_directory {
                            walk.skip_current_dir();
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

    /// Notes an entry that the walk cannot read: a directory, or a symbolic link that is to be followed.
    fn unreadable(&mut self, name: String, path: &Path, error: walkdir::Error) {
        if error.loop_ancestor().is_some() {
            return self.problems.add(name, Problem::Loop);
        }
        let is_broken_link = path.is_symlink() && fs::metadata(path).is_err_and(|error| is_missing(&error));
        if is_broken_link {
            return self.problems.add(name, Problem::BrokenLink);
        }
        // The directory itself was readable as an entry of its parent.
        self.entries.pop_if(|entry| entry.is_directory() && entry.path() == name);
        let error = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
        self.problems.add(name, Problem::Read(error));
    }

    /// Adds an entry; the outer error ends packing.
    fn entry(
        &mut self,
        name: &Path,
        (root, below): (usize, usize),
        path: &Path,
    ) -> Result<Result<(), Problem>, PackError> {
        let metadata = if self.options.dereference { path.metadata() } else { path.symlink_metadata() };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(source) => return Ok(Err(Problem::Read(source))),
        };
        if let Some(kind) = special(metadata.file_type()) {
            return Ok(Err(Problem::Special(kind)));
        }
        let parsed = name.to_str().ok_or(InvalidArchivePath::NotUnicode).and_then(ArchivePath::parse);
        let archive_path = match parsed {
            Ok(path) => path,
            Err(reason) => return Ok(Err(Problem::Name(reason))),
        };
        let kind = if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_symlink() {
            match read_link(path, &archive_path) {
                Ok(Ok(target)) => Kind::Link { target },
                Ok(Err(reason)) => return Ok(Err(Problem::Link(reason))),
                Err(source) => return Ok(Err(Problem::Read(source))),
            }
        } else {
            match self.file(&archive_path, path, &metadata)? {
                Ok((size, content)) => Kind::File { size, content },
                Err(source) => return Ok(Err(Problem::Read(source))),
            }
        };
        let root = u32::try_from(root).expect("a command line has fewer than 2^32 paths");
        let below = u16::try_from(below).expect("a name has at most 255 bytes");
        let mut entry = Entry::new(archive_path, (root, below), mode(&metadata, &kind), kind);
        entry.modified = metadata.modified().ok();
        self.entries.push(entry);
        Ok(Ok(()))
    }

    /// Returns size and content of a file; copies the content of a file whose size is wrong.
    fn file(
        &mut self,
        name: &ArchivePath,
        path: &Path,
        metadata: &Metadata,
    ) -> Result<io::Result<(u64, FileContent)>, PackError> {
        let on_disk = (metadata.len(), FileContent::OnDisk(Fingerprint::of(metadata)));
        if !self.sizes.is_doubtful(path, metadata) {
            let readable = if self.options.skip_unsendable {
                WatchedFile::open_plain(path, self.options.dereference).map(drop)
            } else {
                check_readable(path)
            };
            return Ok(readable.map(|()| on_disk));
        }
        let opened = WatchedFile::open_plain(path, self.options.dereference);
        match opened.and_then(|file| Ok((fills_its_size(file.file(), metadata)?, file))) {
            Ok((true, _)) => Ok(Ok(on_disk)),
            Ok((false, file)) => {
                let spooled = self.spool.add(file.file(), name.as_str(), self.options.spool_limit)?;
                Ok(spooled.map(|(start, size)| (size, FileContent::Spooled(start))))
            }
            Err(source) => Ok(Err(source)),
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns the path within the archive of an entry at `path`, which is below `root` on disk.
fn path_below(input: &str, root: &Path, path: &Path) -> PathBuf {
    Path::new(input).join(path.strip_prefix(root).unwrap_or(path))
}

fn read_link(path: &Path, at: &ArchivePath) -> io::Result<Result<SymlinkTarget, InvalidSymlinkTarget>> {
    Ok(SymlinkTarget::parse(fs::read_link(path)?.as_os_str().as_encoded_bytes(), at))
}

#[cfg(unix)]
fn check_readable(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::READ_OK)?)
}

#[cfg(not(unix))]
fn check_readable(path: &Path) -> io::Result<()> {
    fs::File::open(path).map(drop)
}

/// Returns the read, write and execute permissions. Omits the set-user-ID, set-group-ID and sticky bits.
#[cfg(unix)]
fn mode(metadata: &Metadata, _: &Kind) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

/// Returns the usual permissions, on systems without Unix permissions.
#[cfg(not(unix))]
fn mode(_: &Metadata, kind: &Kind) -> u32 {
    if matches!(kind, Kind::File { .. }) { 0o644 } else { 0o755 }
}

/// Returns the description of a socket, FIFO or device, which archives do not contain. Returns `None` for other kinds.
#[cfg(unix)]
fn special(kind: FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_socket() => Some("a socket"),
        kind if kind.is_fifo() => Some("a fifo"),
        kind if kind.is_block_device() || kind.is_char_device() => Some("a device"),
        _ => None,
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unix_tests;
