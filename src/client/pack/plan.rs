//! Plan of an archive: its entries and their offsets in the tar.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::header::{BLOCK, head};
use super::open_files::OpenFiles;
use crate::client::upload::{Fingerprint, SourceError, WatchedFile};
use crate::domain::archive::{ArchivePath, SymlinkTarget};
use crate::domain::crypto::digest::Sha256;

/// Size of the end-of-archive marker in bytes: two zero blocks.
const END: u64 = 2 * BLOCK;

/// Virtual archive, whose bytes are generated when they are read.
#[derive(Debug)]
pub struct Plan {
    entries: Vec<Entry>,
    /// Paths on disk of the top-level entries.
    roots: Vec<PathBuf>,
    size: u64,
    open: OpenFiles,
}

/// Entry of an archive.
#[derive(Debug)]
pub struct Entry {
    path: ArchivePath,
    /// Index of the root on disk, and byte offset in `path` at which the path below the root starts.
    root: u32,
    below: u16,
    pub(super) mode: u32,
    pub(super) modified: Option<SystemTime>,
    pub(super) kind: Kind,
    /// Offset of the headers in the tar in bytes, and their size in blocks.
    offset: u64,
    head_blocks: u16,
}

/// Kind of an entry.
#[derive(Debug)]
pub enum Kind {
    /// Directory.
    Directory,
    /// Regular file.
    File {
        /// Content size in bytes.
        size: u64,
        /// Fingerprint of the file at the time of planning, to detect changes.
        fingerprint: Fingerprint,
    },
    /// Symbolic link to a path within the archive.
    Link {
        /// Target of the link.
        target: SymlinkTarget,
    },
}

impl Entry {
    /// Creates an entry that is read from the root with index `root`, at the part of `path` after `below` bytes.
    pub(super) fn new(path: ArchivePath, (root, below): (u32, u16), mode: u32, kind: Kind) -> Self {
        Self { path, root, below, mode, modified: None, kind, offset: 0, head_blocks: 0 }
    }

    /// Returns the path within the archive.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// Returns the kind of the entry.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Returns whether the entry is a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }

    /// Returns the content size in bytes; 0 for directories and links.
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
    /// Creates a plan and computes the offset of each entry.
    pub(super) fn new(mut entries: Vec<Entry>, roots: Vec<PathBuf>) -> Self {
        let mut offset = 0;
        for entry in &mut entries {
            entry.offset = offset;
            entry.head_blocks = u16::try_from(head(entry).len() as u64 / BLOCK).expect("paths have a few KiB at most");
            offset = entry.content_offset() + entry.size().next_multiple_of(BLOCK);
        }
        Self { entries, roots, size: offset + END, open: OpenFiles::default() }
    }

    /// Returns the size of the archive in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the entries in the order of the archive.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the number of files.
    #[must_use]
    pub fn files(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.kind, Kind::File { .. })).count()
    }

    /// Returns a hash of the paths, kinds, permissions, sizes, link targets and modification times.
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

    /// Returns the entry whose headers or content include the byte at `offset`; `None` in the end-of-archive marker.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<&Entry> {
        let index = self.entries.partition_point(|entry| entry.offset <= offset).checked_sub(1)?;
        (offset + END < self.size).then(|| &self.entries[index])
    }

    /// Fills `buffer` with the archive's bytes from `offset`. Safe to call from several threads in parallel.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        let end = offset + buffer.len() as u64;
        debug_assert!(end <= self.size, "the range exceeds the archive");
        // Padding and the end-of-archive marker are zeros.
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
                let is_whole_file = to - from == entry.size();
                let part = &mut buffer[index_of(from - offset)..index_of(to - offset)];
                self.read_file(index, part, from - content, is_whole_file)?;
            }
        }
        Ok(())
    }

    /// Checks that no file has changed since the plan was created.
    pub fn check_unchanged(&self) -> Result<(), SourceError> {
        for entry in &self.entries {
            if let Kind::File { size, fingerprint } = &entry.kind {
                let metadata = self.disk_path(entry).symlink_metadata().map_err(|_| changed(entry))?;
                if !fingerprint.is_of(&metadata) || metadata.len() != *size {
                    return Err(changed(entry));
                }
            }
        }
        Ok(())
    }

    fn read_file(&self, index: usize, part: &mut [u8], offset: u64, is_whole_file: bool) -> Result<(), SourceError> {
        let entry = &self.entries[index];
        let file = if let Some(file) = self.open.get(index) {
            file
        } else {
            let file = Arc::new(self.open_file(entry)?);
            if !is_whole_file {
                self.open.insert(index, file.clone());
            }
            file
        };
        file.read_exact_at(part, offset).map_err(|error| match error {
            SourceError::Read(source) => SourceError::ReadIn { name: entry.path().to_owned(), source },
            _ => changed(entry),
        })
    }

    fn open_file(&self, entry: &Entry) -> Result<WatchedFile, SourceError> {
        let Kind::File { fingerprint, size } = &entry.kind else { unreachable!("only files have content") };
        let path = self.disk_path(entry);
        let file = WatchedFile::open_plain(&path).map_err(|source| match path.symlink_metadata() {
            Ok(metadata) if fingerprint.is_of(&metadata) => {
                SourceError::ReadIn { name: entry.path().to_owned(), source }
            }
            // The file was removed or replaced.
            _ => changed(entry),
        })?;
        if file.fingerprint() == fingerprint && file.size() == *size { Ok(file) } else { Err(changed(entry)) }
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

/// Encodes kind, permissions, size and modification time in a fixed length.
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

/// Returns the nanoseconds since the Unix epoch (UTC); `i128::MIN` without a time.
pub(in crate::client) fn nanos(time: Option<SystemTime>) -> i128 {
    let signed = |nanos: u128| i128::try_from(nanos).unwrap_or(i128::MAX);
    match time.map(|time| time.duration_since(UNIX_EPOCH)) {
        None => i128::MIN,
        Some(Ok(after)) => signed(after.as_nanos()),
        Some(Err(before)) => -signed(before.duration().as_nanos()),
    }
}

/// Returns the intersection of two ranges; if it is empty, an empty range within the first.
fn overlap(start: u64, end: u64, other_start: u64, other_end: u64) -> (u64, u64) {
    let from = start.max(other_start).min(end);
    (from, end.min(other_end).max(from))
}

fn index_of(distance: u64) -> usize {
    usize::try_from(distance).expect("the distance lies within a buffer or header")
}
