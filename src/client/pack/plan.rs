//! Plan of an archive: its entries and their offsets in the tar.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(unix)]
use super::beneath::is_replaced;
use super::header::{BLOCK, head};
use super::index::PlannedIndex;
use super::open_files::OpenFiles;
use super::roots::Roots;
use super::spool::Spool;
use crate::client::upload::{Fingerprint, SourceChange, SourceError, WatchedFile};
use crate::domain::archive::{ArchivePath, SymlinkTarget, TAR_END_BYTES};
use crate::domain::crypto::info::ArchiveInfo;

/// Virtual archive, whose bytes are generated when they are read.
#[derive(Debug)]
pub struct Plan {
    entries: Vec<Entry>,
    roots: Roots,
    /// Content of the files whose size was unknown.
    spool: Spool,
    /// Whether files may grow: the size at the time of planning is sent.
    snapshot: bool,
    /// Size of the tar in bytes; the index follows.
    tar_bytes: u64,
    /// Index after the tar; `None` if it would be too long.
    index: Option<PlannedIndex>,
    open: OpenFiles,
    /// Indexes of files that were modified before the last read.
    modified: Mutex<BTreeSet<usize>>,
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
    pub(super) offset: u64,
    head_blocks: u16,
    /// Offset in the JSON of the index, in bytes.
    pub(super) index_offset: u32,
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
        /// Source of the content.
        content: FileContent,
    },
    /// Symbolic link to a path within the archive.
    Link {
        /// Target of the link.
        target: SymlinkTarget,
    },
}

/// Source of the content of a file.
#[derive(Clone, Copy, Debug)]
pub enum FileContent {
    /// The file itself, with its fingerprint at the time of planning.
    OnDisk(Fingerprint),
    /// A copy in the spool that starts at this offset: the file's own size is wrong, as in `/proc`.
    Spooled(u64),
}

impl Entry {
    /// Creates an entry read from the root with index `root`, at the part of `path` after `below` bytes.
    pub(super) fn new(path: ArchivePath, (root, below): (u32, u16), mode: u32, kind: Kind) -> Self {
        Self { path, root, below, mode, modified: None, kind, offset: 0, head_blocks: 0, index_offset: 0 }
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

    /// Returns the index of the root on disk, and the path below it, which is empty for the root itself.
    pub(super) fn location(&self) -> (usize, &str) {
        (self.root as usize, self.path().get(usize::from(self.below)..).unwrap_or_default())
    }

    /// Returns the offset of the content in the tar, in bytes.
    pub(super) fn content_offset(&self) -> u64 {
        self.offset + u64::from(self.head_blocks) * BLOCK
    }
}

impl Plan {
    /// Creates a plan and computes the offset of each entry.
    pub(super) fn new(entries: Vec<Entry>, roots: Roots, spool: Spool, snapshot: bool) -> Self {
        let (open, modified) = (OpenFiles::default(), Mutex::default());
        let mut this = Self { entries, roots, spool, snapshot, tar_bytes: 0, index: None, open, modified };
        this.lay_out();
        this
    }

    fn lay_out(&mut self) {
        let mut offset = 0;
        for entry in &mut self.entries {
            entry.offset = offset;
            entry.head_blocks = u16::try_from(head(entry).len() as u64 / BLOCK).expect("paths have a few KiB at most");
            offset = entry.content_offset() + entry.size().next_multiple_of(BLOCK);
        }
        self.tar_bytes = offset + TAR_END_BYTES;
        self.index = PlannedIndex::lay_out(&mut self.entries);
    }

    /// Creates the plan of an archive without entries.
    #[cfg(test)]
    pub(super) fn without_entries() -> Self {
        Self::new(Vec::new(), Roots::default(), Spool::default(), false)
    }

    /// Changes the entries, and computes their offsets again. `change` also receives whether this is a snapshot.
    pub(super) fn change_entries(mut self, change: impl FnOnce(&mut [Entry], bool)) -> Self {
        change(&mut self.entries, self.snapshot);
        self.lay_out();
        self
    }

    /// Returns the size of the archive in bytes, index included.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self.index {
            Some(index) => self.tar_bytes + index.bytes(),
            None => self.tar_bytes,
        }
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

    /// Returns number and total size of the files, for the info block.
    #[must_use]
    pub fn info(&self) -> ArchiveInfo {
        let bytes = self.entries.iter().filter(|entry| matches!(entry.kind, Kind::File { .. })).map(Entry::size).sum();
        ArchiveInfo { files: self.files() as u64, bytes }
    }

    /// Returns the entry whose headers or content include the byte at `offset`. Returns `None` in the end-of-archive
    /// marker and in the index.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<&Entry> {
        let index = self.entries.partition_point(|entry| entry.offset <= offset).checked_sub(1)?;
        (offset + TAR_END_BYTES < self.tar_bytes).then(|| &self.entries[index])
    }

    /// Fills `buffer` with the archive's bytes from `offset`. Safe to call from several threads in parallel.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        let end = offset + buffer.len() as u64;
        debug_assert!(end <= self.size(), "the range exceeds the archive");
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
        if let Some(index) = self.index.filter(|_| end > self.tar_bytes) {
            index.read(&self.entries, self.tar_bytes, &(offset..end), buffer);
        }
        Ok(())
    }

    /// Returns the ranges of the archive that may have changed, since metadata of their files has changed.
    ///
    /// A file that was moved or removed after its content was read has not changed.
    pub fn doubtful_ranges(&self) -> Result<Vec<Range<u64>>, SourceError> {
        let mut ranges = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let Kind::File { size, content: FileContent::OnDisk(fingerprint) } = &entry.kind else { continue };
            let Ok(metadata) = self.roots.metadata(entry, fingerprint) else {
                if self.modified().contains(&index) {
                    return Err(SourceChange::Content.in_file(Some(entry.path())));
                }
                continue;
            };
            if let Some(change) = self.change_of(&metadata, *size) {
                return Err(change.in_file(Some(entry.path())));
            }
            if !fingerprint.is_of(&metadata) {
                let start = entry.content_offset();
                ranges.push(start..start + size);
            }
        }
        Ok(ranges)
    }

    fn read_file(&self, index: usize, part: &mut [u8], offset: u64, is_whole_file: bool) -> Result<(), SourceError> {
        let entry = &self.entries[index];
        let read_in = |source| SourceError::ReadIn { name: entry.path().to_owned(), source };
        let Kind::File { size, content } = &entry.kind else { unreachable!("only files have content") };
        let fingerprint = match content {
            FileContent::OnDisk(fingerprint) => fingerprint,
            FileContent::Spooled(start) => return self.spool.read_exact_at(part, start + offset).map_err(read_in),
        };
        let file = if let Some(file) = self.open.get(index) {
            file
        } else {
            let file = Arc::new(self.open_file(entry, *size)?);
            if !is_whole_file {
                self.open.insert(index, file.clone());
            }
            file
        };
        file.read_exact_at(part, offset).map_err(|error| match error {
            SourceError::Read(source) => read_in(source),
            SourceError::Changed { change, .. } => change.in_file(Some(entry.path())),
            error @ SourceError::ReadIn { .. } => error,
        })?;
        let metadata = file.metadata().map_err(read_in)?;
        if fingerprint.modified() != metadata.modified().ok() {
            self.modified().insert(index);
        }
        Ok(())
    }

    fn open_file(&self, entry: &Entry, size: u64) -> Result<WatchedFile, SourceError> {
        let file = self.roots.open(entry).map_err(|source| {
            #[cfg(unix)]
            if is_replaced(&source) {
                return SourceChange::Replaced.in_file(Some(entry.path()));
            }
            // A file that is there and cannot be opened is unreadable; another one has taken the place of a link.
            match self.roots.path(entry).symlink_metadata() {
                Ok(metadata) if metadata.is_file() => SourceError::ReadIn { name: entry.path().to_owned(), source },
                _ => SourceChange::Gone.in_file(Some(entry.path())),
            }
        })?;
        let metadata = file.metadata().map_err(SourceError::Read)?;
        self.change_of(&metadata, size).map_or(Ok(file), |change| Err(change.in_file(Some(entry.path()))))
    }

    /// Returns the change that the metadata of a file shows by itself.
    fn change_of(&self, metadata: &Metadata, size: u64) -> Option<SourceChange> {
        if metadata.is_file() {
            SourceChange::of_size(metadata.len(), size, self.snapshot)
        } else {
            Some(SourceChange::Content)
        }
    }

    fn modified(&self) -> std::sync::MutexGuard<'_, BTreeSet<usize>> {
        self.modified.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
pub(super) fn overlap(start: u64, end: u64, other_start: u64, other_end: u64) -> (u64, u64) {
    let from = start.max(other_start).min(end);
    (from, end.min(other_end).max(from))
}

/// Converts a distance within a buffer.
pub(super) fn index_of(distance: u64) -> usize {
    usize::try_from(distance).expect("the distance lies within a buffer or header")
}
