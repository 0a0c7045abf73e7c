//! The plan of an archive: its entries, and where in the tar each of them stands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::header::{BLOCK, head};
use super::open_files::OpenFiles;
use crate::client::upload::{Mark, SourceError, Watched};
use crate::domain::archive_path::{ArchivePath, LinkTarget};
use crate::domain::crypto::digest::Sha256;

/// What a tar ends with: two blocks of zeros.
const END: u64 = 2 * BLOCK;

/// An archive that is made up while it is read.
#[derive(Debug)]
pub struct Plan {
    entries: Vec<Entry>,
    /// What the first parts of paths stand for on disk.
    roots: Vec<PathBuf>,
    size: u64,
    open: OpenFiles,
}

/// An entry of an archive.
#[derive(Debug)]
pub struct Entry {
    path: ArchivePath,
    /// Which root it is below, and where in the path what is below it begins.
    root: u32,
    below: u16,
    pub(super) mode: u32,
    pub(super) modified: Option<SystemTime>,
    pub(super) kind: Kind,
    /// Where in the tar its header begins, and how many blocks that has.
    offset: u64,
    head_blocks: u16,
}

/// What an entry is.
#[derive(Debug)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Its bytes.
        size: u64,
        /// What changes with it.
        mark: Mark,
    },
    /// A symbolic link that leads to within the archive.
    Link {
        /// Where to.
        target: LinkTarget,
    },
}

impl Entry {
    /// An entry `path`, of which what follows the first `below` bytes is looked for below the root of this number.
    pub(super) fn new(path: ArchivePath, (root, below): (u32, u16), mode: u32, kind: Kind) -> Self {
        Self { path, root, below, mode, modified: None, kind, offset: 0, head_blocks: 0 }
    }

    /// Its path within the archive.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether it is a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }

    /// Bytes of content.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            Kind::Directory | Kind::Link { .. } => 0,
        }
    }

    fn content_offset(&self) -> u64 {
        self.offset + u64::from(self.head_blocks) * BLOCK
    }
}

impl Plan {
    /// Gives each entry its place.
    pub(super) fn new(mut entries: Vec<Entry>, roots: Vec<PathBuf>) -> Self {
        let mut offset = 0;
        for entry in &mut entries {
            entry.offset = offset;
            entry.head_blocks = u16::try_from(head(entry).len() as u64 / BLOCK).expect("paths are a few KiB at most");
            offset = entry.content_offset() + entry.size().next_multiple_of(BLOCK);
        }
        Self { entries, roots, size: offset + END, open: OpenFiles::default() }
    }

    /// Bytes of the whole tar.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What is in it, in the order of the tar.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many of them are files.
    #[must_use]
    pub fn files(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.kind, Kind::File { .. })).count()
    }

    /// A digest of paths, kinds, permissions, sizes, targets and times.
    #[must_use]
    pub fn identity(&self) -> Sha256 {
        let numbers: Vec<_> = self.entries.iter().map(numbers).collect();
        Sha256::of_parts(self.entries.iter().zip(&numbers).flat_map(|(entry, numbers)| {
            let target = match &entry.kind {
                Kind::Link { target } => target.as_str(),
                Kind::File { .. } | Kind::Directory => "",
            };
            [entry.path().as_bytes(), target.as_bytes(), numbers]
        }))
    }

    /// The entry whose header or content stands at `offset`; none behind the last.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<&Entry> {
        let index = self.entries.partition_point(|entry| entry.offset <= offset).checked_sub(1)?;
        (offset + END < self.size).then(|| &self.entries[index])
    }

    /// Fills `buffer` with the tar's bytes from `offset` on. Several threads may do so at once.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        let end = offset + buffer.len() as u64;
        debug_assert!(end <= self.size, "there is nothing behind the end");
        // Gaps behind contents, and the end, are zeros.
        buffer.fill(0);
        let first = self.entries.partition_point(|entry| entry.offset <= offset).saturating_sub(1);
        for (index, entry) in self.entries.iter().enumerate().skip(first).take_while(|(_, entry)| entry.offset < end) {
            let content = entry.content_offset();
            if offset < content {
                let head = head(entry);
                let (from, to) = overlap(offset, end, entry.offset, content);
                let within = index_of(from - entry.offset)..index_of(to - entry.offset);
                buffer[index_of(from - offset)..index_of(to - offset)].copy_from_slice(&head[within]);
            }
            let (from, to) = overlap(offset, end, content, content + entry.size());
            if from < to {
                let whole = to - from == entry.size();
                let part = &mut buffer[index_of(from - offset)..index_of(to - offset)];
                self.read_file(index, part, from - content, whole)?;
            }
        }
        Ok(())
    }

    /// Checks that every file is what it was.
    pub fn check_unchanged(&self) -> Result<(), SourceError> {
        for entry in &self.entries {
            if let Kind::File { size, mark } = &entry.kind {
                let metadata = self.disk_path(entry).symlink_metadata().map_err(|_| changed(entry))?;
                if !mark.is_of(&metadata) || metadata.len() != *size {
                    return Err(changed(entry));
                }
            }
        }
        Ok(())
    }

    fn read_file(&self, index: usize, part: &mut [u8], offset: u64, whole: bool) -> Result<(), SourceError> {
        let entry = &self.entries[index];
        let file = if let Some(file) = self.open.get(index) {
            file
        } else {
            let file = Arc::new(self.open_file(entry)?);
            if !whole {
                self.open.keep(index, file.clone());
            }
            file
        };
        file.read_exact_at(part, offset).map_err(|error| match error {
            SourceError::Read(source) => SourceError::ReadIn { name: entry.path().to_owned(), source },
            _ => changed(entry),
        })
    }

    fn open_file(&self, entry: &Entry) -> Result<Watched, SourceError> {
        let Kind::File { mark, size } = &entry.kind else { unreachable!("only files have content") };
        let path = self.disk_path(entry);
        let file = Watched::open_plain(&path).map_err(|source| match path.symlink_metadata() {
            Ok(metadata) if mark.is_of(&metadata) => SourceError::ReadIn { name: entry.path().to_owned(), source },
            // Gone, or something else by now.
            _ => changed(entry),
        })?;
        if file.mark() == mark && file.size() == *size { Ok(file) } else { Err(changed(entry)) }
    }

    fn disk_path(&self, entry: &Entry) -> PathBuf {
        let root = &self.roots[entry.root as usize];
        let below = entry.path().get(usize::from(entry.below)..).unwrap_or_default();
        if below.is_empty() { root.clone() } else { root.join(below) }
    }
}

fn changed(entry: &Entry) -> SourceError {
    SourceError::ChangedIn { name: entry.path().to_owned() }
}

/// Kind, permissions, size and time as fixed bytes.
fn numbers(entry: &Entry) -> [u8; 29] {
    let kind = match entry.kind {
        Kind::Directory => 0,
        Kind::File { .. } => 1,
        Kind::Link { .. } => 2,
    };
    let mut numbers = [0; 29];
    numbers[0] = kind;
    numbers[1..5].copy_from_slice(&entry.mode.to_be_bytes());
    numbers[5..13].copy_from_slice(&entry.size().to_be_bytes());
    numbers[13..].copy_from_slice(&nanos(entry.modified).to_be_bytes());
    numbers
}

/// Nanoseconds since 1970.
pub(in crate::client) fn nanos(time: Option<SystemTime>) -> i128 {
    let signed = |nanos: u128| i128::try_from(nanos).unwrap_or(i128::MAX);
    match time.map(|time| time.duration_since(UNIX_EPOCH)) {
        None => i128::MIN,
        Some(Ok(after)) => signed(after.as_nanos()),
        Some(Err(before)) => -signed(before.duration().as_nanos()),
    }
}

/// What two ranges have in common; empty, and within the first, where that is nothing.
fn overlap(start: u64, end: u64, other_start: u64, other_end: u64) -> (u64, u64) {
    let from = start.max(other_start).min(end);
    (from, end.min(other_end).max(from))
}

fn index_of(distance: u64) -> usize {
    usize::try_from(distance).expect("it lies within a buffer or a header")
}
