//! Walks directory trees in an order that does not depend on the file system.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::MAX_ENTRIES;
use super::error::{Named, PackError};
use super::exclude::Exclude;
use super::plan::{Entry, Kind, Plan};
use crate::client::upload::Fingerprint;
use crate::domain::archive::{ArchivePath, InvalidArchivePath, InvalidSymlinkTarget, SymlinkTarget};

/// File or directory to pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackInput {
    /// Name in the archive; empty if the contents of the directory are the top level of the archive.
    pub name: String,
    /// Path on disk.
    pub path: PathBuf,
}

/// Result of packing.
#[derive(Debug)]
pub struct Packed {
    /// Plan of the archive.
    pub plan: Plan,
    /// Skipped entries in the order of their paths: sockets, FIFOs and devices.
    pub skipped: Vec<SkippedEntry>,
}

/// Skipped entry that is neither a file, a directory nor a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedEntry {
    /// Path within the archive.
    pub path: String,
    /// Kind of the entry, such as "a socket".
    pub kind: &'static str,
}

/// Plans an archive of `inputs` without the entries that `exclude` matches. Blocks: reads the metadata of every file.
///
/// Follows symbolic links given as `inputs`. Symbolic links below them are packed as links, and must point to a path
/// within the archive.
pub fn pack(inputs: Vec<PackInput>, exclude: &Exclude) -> Result<Packed, PackError> {
    let problems = Problems::default();
    let mut walk =
        Walk { exclude, roots: Vec::new(), entries: Vec::new(), skipped: Vec::new(), excluded: false, problems };
    let mut inputs = inputs;
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    let named = !inputs.is_empty();
    inputs.retain(|input| {
        input.name.is_empty() || !exclude.matches(input.path.file_name().map_or(Path::new(&input.name), Path::new))
    });
    if named && inputs.is_empty() {
        return Err(PackError::Nothing);
    }
    for input in &inputs {
        walk.input(input)?;
    }
    walk.problems.check()?;
    if walk.entries.is_empty() && walk.excluded {
        return Err(PackError::Nothing);
    }
    Ok(Packed { plan: Plan::new(walk.entries, walk.roots), skipped: walk.skipped })
}

struct Walk<'a> {
    exclude: &'a Exclude,
    roots: Vec<PathBuf>,
    entries: Vec<Entry>,
    skipped: Vec<SkippedEntry>,
    /// Whether `exclude` has matched an entry.
    excluded: bool,
    problems: Problems,
}

/// Problems that prevent packing. The walk continues after a problem, so that users can fix all of them at once.
#[derive(Default)]
struct Problems {
    unreadable: Named,
    unreadable_source: Option<io::Error>,
    links: Named,
    names: Named,
}

impl Problems {
    fn unreadable(&mut self, path: String, source: io::Error) {
        self.unreadable.add(path, &format_args!("cannot be read: {source}"));
        self.unreadable_source.get_or_insert(source);
    }

    fn check(self) -> Result<(), PackError> {
        if let Some(source) = self.unreadable_source {
            return Err(PackError::Unreadable { entries: self.unreadable, source });
        }
        if !self.names.is_empty() {
            return Err(PackError::Name(self.names));
        }
        if self.links.is_empty() { Ok(()) } else { Err(PackError::Link(self.links)) }
    }
}

impl Walk<'_> {
    fn input(&mut self, input: &PackInput) -> Result<(), PackError> {
        let metadata = match fs::metadata(&input.path) {
            Ok(metadata) => metadata,
            Err(source) => {
                self.problems.unreadable(input.path.display().to_string(), source);
                return Ok(());
            }
        };
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(PackError::Special(input.path.display().to_string()));
        }
        // A symbolic link on the command line is replaced by its target.
        let target = fs::canonicalize(&input.path).unwrap_or_else(|_| input.path.clone());
        let root = u32::try_from(self.roots.len()).expect("a command line has fewer than 2^32 paths");
        self.roots.push(target.clone());
        let exclude = self.exclude;
        let walk = WalkDir::new(&target).follow_links(false).sort_by_file_name().into_iter();
        let excluded = Cell::new(false);
        let walk = walk.filter_entry(|entry| {
            let is_excluded = entry.depth() > 0 && exclude.matches(&path_below(&input.name, &target, entry.path()));
            excluded.set(excluded.get() || is_excluded);
            !is_excluded
        });
        for entry in walk {
            match entry {
                Err(error) => {
                    let path = error.path().unwrap_or(&target).display().to_string();
                    self.problems.unreadable(path, error.into());
                }
                Ok(entry) if entry.depth() == 0 && input.name.is_empty() => {}
                Ok(entry) => {
                    let name = match entry.depth() {
                        0 => input.name.clone(),
                        _ => name_below(&input.name, &target, entry.path()),
                    };
                    let below = if input.name.is_empty() { 0 } else { input.name.len() + 1 };
                    self.entry(&name, (root, below), entry.path());
                }
            }
            if self.entries.len() > MAX_ENTRIES {
                return Err(PackError::TooMany);
            }
        }
        self.excluded |= excluded.get();
        Ok(())
    }

    fn entry(&mut self, name: &str, (root, below): (u32, usize), path: &Path) {
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(source) => return self.problems.unreadable(name.to_owned(), source),
        };
        if let Some(kind) = special(metadata.file_type()) {
            self.skipped.push(SkippedEntry { path: name.to_owned(), kind });
            return;
        }
        let is_text = path.file_name().is_none_or(|name| name.to_str().is_some());
        let parsed = if is_text { ArchivePath::parse(name) } else { Err(InvalidArchivePath::NotUnicode) };
        let archive_path = match parsed {
            Ok(path) => path,
            Err(reason) => {
                self.problems.names.add(name.to_owned(), &reason);
                return;
            }
        };
        let kind = if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_symlink() {
            match read_link(path, &archive_path) {
                Ok(Ok(target)) => Kind::Link { target },
                Ok(Err(reason)) => {
                    self.problems.links.add(name.to_owned(), &reason);
                    return;
                }
                Err(source) => return self.problems.unreadable(name.to_owned(), source),
            }
        } else {
            if let Err(source) = check_readable(path) {
                return self.problems.unreadable(name.to_owned(), source);
            }
            Kind::File { size: metadata.len(), fingerprint: Fingerprint::of(&metadata) }
        };
        let below = u16::try_from(below).expect("a name has at most 255 bytes");
        let mut entry = Entry::new(archive_path, (root, below), mode(&metadata, &kind), kind);
        entry.modified = metadata.modified().ok();
        self.entries.push(entry);
    }
}

/// Returns the path within the archive of an entry at `path`, which is below `root` on disk.
fn path_below(input: &str, root: &Path, path: &Path) -> PathBuf {
    Path::new(input).join(path.strip_prefix(root).unwrap_or(path))
}

/// Returns the path within the archive as slash-separated text, with replacement characters for invalid UTF-8.
fn name_below(input: &str, root: &Path, path: &Path) -> String {
    path_below(input, root, path).iter().map(OsStr::to_string_lossy).collect::<Vec<_>>().join("/")
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

/// Returns the read, write and execute permissions, without set-user-ID, set-group-ID and sticky bits.
#[cfg(unix)]
fn mode(metadata: &Metadata, _: &Kind) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

/// Returns the usual permissions, on systems without Unix permissions.
#[cfg(not(unix))]
fn mode(_: &Metadata, kind: &Kind) -> u32 {
    if matches!(kind, Kind::File { .. }) { 0o644 } else { 0o755 }
}

/// Returns the description of a socket, FIFO or device, which archives do not contain; `None` for other kinds.
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
