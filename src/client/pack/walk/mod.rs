//! The walk: what there is below some paths, in an order that does not depend on the disk.

use std::cell::Cell;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::MAX_ENTRIES;
use super::error::{Named, PackError};
use super::exclude::Exclude;
use super::plan::{Entry, Kind, Plan};
use crate::client::upload::Mark;
use crate::domain::archive_path::{ArchivePath, LinkTarget, Unfit};

/// A path to be packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// What it is called in the archive; nothing where the content of a directory is the archive.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What was packed, and what was not.
#[derive(Debug)]
pub struct Packed {
    /// The archive.
    pub plan: Plan,
    /// What no archive of ours holds, by path.
    pub left_out: Vec<LeftOut>,
}

/// Something that is neither file nor directory nor link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path within the archive.
    pub path: String,
    /// What it is.
    pub what: &'static str,
}

/// Plans an archive of `tops` without what `exclude` matches. Blocks: it looks at every file.
///
/// Links below them are kept as links, and only those that lead to within the archive; the paths themselves are followed.
pub fn pack(tops: Vec<Top>, exclude: &Exclude) -> Result<Packed, PackError> {
    let faults = Faults::default();
    let mut walk =
        Walk { exclude, roots: Vec::new(), entries: Vec::new(), left_out: Vec::new(), excluded: false, faults };
    let mut tops = tops;
    tops.sort_by(|one, other| one.name.cmp(&other.name));
    let named = !tops.is_empty();
    tops.retain(|top| top.name.is_empty() || !exclude.matches(&top.name));
    if named && tops.is_empty() {
        return Err(PackError::Nothing);
    }
    for top in &tops {
        walk.top(top)?;
    }
    walk.faults.check()?;
    if walk.entries.is_empty() && walk.excluded {
        return Err(PackError::Nothing);
    }
    Ok(Packed { plan: Plan::new(walk.entries, walk.roots), left_out: walk.left_out })
}

struct Walk<'a> {
    exclude: &'a Exclude,
    roots: Vec<PathBuf>,
    entries: Vec<Entry>,
    left_out: Vec<LeftOut>,
    /// Whether anything was left out because the sender says so.
    excluded: bool,
    faults: Faults,
}

/// What speaks against sending; all of it is looked for, so that it can be mended at once.
#[derive(Default)]
struct Faults {
    unreadable: Named,
    unreadable_source: Option<io::Error>,
    links: Named,
    names: Named,
}

impl Faults {
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
    fn top(&mut self, top: &Top) -> Result<(), PackError> {
        let metadata = match fs::metadata(&top.path) {
            Ok(metadata) => metadata,
            Err(source) => {
                self.faults.unreadable(top.path.display().to_string(), source);
                return Ok(());
            }
        };
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(PackError::Special(top.path.display().to_string()));
        }
        // A link that was named on the command line stands for what it leads to.
        let target = fs::canonicalize(&top.path).unwrap_or_else(|_| top.path.clone());
        let root = u32::try_from(self.roots.len()).expect("a command line names fewer paths");
        self.roots.push(target.clone());
        let exclude = self.exclude;
        let walk = WalkDir::new(&target).follow_links(false).sort_by_file_name().into_iter();
        let excluded = Cell::new(false);
        let walk = walk.filter_entry(|entry| {
            let is_out = entry.depth() > 0 && exclude.matches(&name_below(&top.name, &target, entry.path()));
            excluded.set(excluded.get() || is_out);
            !is_out
        });
        for entry in walk {
            match entry {
                Err(error) => {
                    let path = error.path().unwrap_or(&target).display().to_string();
                    self.faults.unreadable(path, error.into());
                }
                Ok(entry) if entry.depth() == 0 && top.name.is_empty() => {}
                Ok(entry) => {
                    let name = match entry.depth() {
                        0 => top.name.clone(),
                        _ => name_below(&top.name, &target, entry.path()),
                    };
                    let below = if top.name.is_empty() { 0 } else { top.name.len() + 1 };
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
            Err(source) => return self.faults.unreadable(name.to_owned(), source),
        };
        if let Some(what) = special(metadata.file_type()) {
            self.left_out.push(LeftOut { path: name.to_owned(), what });
            return;
        }
        let is_text = path.file_name().is_none_or(|name| name.to_str().is_some());
        let parsed = if is_text { ArchivePath::parse(name) } else { Err(Unfit::NotUnicode) };
        let archive_path = match parsed {
            Ok(path) => path,
            Err(why) => {
                self.faults.names.add(name.to_owned(), &why);
                return;
            }
        };
        let kind = if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_symlink() {
            match link(path, &archive_path) {
                Ok(Ok(target)) => Kind::Link { target },
                Ok(Err(why)) => {
                    self.faults.links.add(name.to_owned(), &why);
                    return;
                }
                Err(source) => return self.faults.unreadable(name.to_owned(), source),
            }
        } else {
            if let Err(source) = check_readable(path) {
                return self.faults.unreadable(name.to_owned(), source);
            }
            Kind::File { size: metadata.len(), mark: Mark::of(&metadata) }
        };
        let below = u16::try_from(below).expect("a name has at most 255 bytes");
        let mut entry = Entry::new(archive_path, (root, below), mode(&metadata, &kind), kind);
        entry.modified = metadata.modified().ok();
        self.entries.push(entry);
    }
}

/// The name within the archive of what is at `path`, below `root`.
fn name_below(top: &str, root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let below = below.components().map(|part| part.as_os_str().to_string_lossy());
    let top = Some(top.into()).filter(|top: &std::borrow::Cow<'_, str>| !top.is_empty());
    top.into_iter().chain(below).collect::<Vec<_>>().join("/")
}

fn link(path: &Path, at: &ArchivePath) -> io::Result<Result<LinkTarget, Unfit>> {
    let target = fs::read_link(path)?;
    Ok(target.to_str().ok_or(Unfit::NotUnicode).and_then(|target| LinkTarget::parse(target, at)))
}

#[cfg(unix)]
fn check_readable(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::READ_OK)?)
}

#[cfg(not(unix))]
fn check_readable(path: &Path) -> io::Result<()> {
    fs::File::open(path).map(drop)
}

/// Who may read, write and execute, and nothing else.
#[cfg(unix)]
fn mode(metadata: &Metadata, _: &Kind) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

/// What is usual, where there are no such permissions.
#[cfg(not(unix))]
fn mode(_: &Metadata, kind: &Kind) -> u32 {
    if matches!(kind, Kind::File { .. }) { 0o644 } else { 0o755 }
}

/// What no archive of ours holds.
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
