//! Index of an archive: where each entry lies, so that one file can be read without the rest.
//!
//! The index follows the tar's end-of-archive marker and ends the content: `SGINDEX\0` · JSON array of the entries ·
//! length of the JSON in bytes as a big-endian `u64`. It is a hint: a reader uses an entry only if the tar header at its
//! offset states the same path, kind and size.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{ArchivePath, InvalidArchivePath, InvalidSymlinkTarget, SymlinkTarget};

/// Magic bytes at the start of every index.
pub const INDEX_MAGIC: &[u8; 8] = b"SGINDEX\0";
/// Maximum length of the JSON in bytes; a longer index is neither written nor read.
pub const MAX_INDEX_BYTES: u64 = 32 << 20;
/// Size of the length field at the end, in bytes.
pub const INDEX_LENGTH_BYTES: u64 = 8;
/// Size of magic and length field, in bytes.
pub const INDEX_FRAME_BYTES: u64 = INDEX_MAGIC.len() as u64 + INDEX_LENGTH_BYTES;
/// Maximum size of an entry's headers in bytes.
///
/// Two extended headers of 64 KiB, and the blocks around them.
pub const MAX_HEADER_BYTES: u64 = 2 * (64 << 10) + 8 * TAR_BLOCK;
/// Block size of tar in bytes.
pub const TAR_BLOCK: u64 = 512;
/// Size of the end-of-archive marker in bytes: two zero blocks.
pub const TAR_END_BYTES: u64 = 2 * TAR_BLOCK;

/// Position of an index within the content, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexPosition {
    /// Offset of the magic, which is also the size of the tar.
    pub start: u64,
    /// Length of the JSON.
    pub json_bytes: u64,
}

/// Entry in the form of the JSON. Decoding ignores unknown members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRecord<'a> {
    /// Path within the archive, without a trailing slash.
    pub path: Cow<'a, str>,
    /// Kind of the entry.
    pub kind: IndexKind,
    /// Offset of the entry's first header in the content, in bytes; extended headers included.
    pub offset: u64,
    /// Offset of the entry's data in the content, in bytes.
    pub data: u64,
    /// Size of the data in bytes; 0 unless the entry is a file.
    pub size: u64,
    /// Unix permissions.
    pub mode: u32,
    /// Modification time in milliseconds since 1970-01-01T00:00:00Z.
    pub modified_ms: i64,
    /// Target of a symbolic link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Cow<'a, str>>,
}

/// Kind of an entry in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexKind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
}

/// Checked entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Path within the archive.
    pub path: ArchivePath,
    /// Kind of the entry.
    pub kind: IndexKind,
    /// Offset of the entry's first header in the content, in bytes.
    pub offset: u64,
    /// Offset of the entry's data in the content, in bytes.
    pub data: u64,
    /// Size of the data in bytes; 0 unless the entry is a file.
    pub size: u64,
    /// Permissions: the lowest nine bits of the Unix mode.
    pub mode: u32,
    /// Modification time in milliseconds since 1970-01-01T00:00:00Z.
    pub modified_ms: i64,
    /// Target of a symbolic link.
    pub link: Option<SymlinkTarget>,
}

/// Checked index, with the entries in the order of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveIndex {
    /// The entries.
    pub entries: Vec<IndexEntry>,
    /// Size of the tar in bytes.
    pub tar_bytes: u64,
}

/// Reason for rejecting an index.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIndex {
    /// The index does not start with the magic bytes.
    #[error("does not start with its magic bytes")]
    Magic,
    /// The JSON is invalid.
    #[error("is not valid JSON of entries")]
    Json(#[source] serde_json::Error),
    /// A path is not allowed in an archive.
    #[error("has an unsafe entry: {0:?} {1}")]
    Path(String, InvalidArchivePath),
    /// The target of a symbolic link is not allowed in an archive.
    #[error("has an unsafe entry: {0:?} {1}")]
    Link(String, InvalidSymlinkTarget),
    /// The members of an entry contradict each other.
    #[error("contradicts itself about {0:?}")]
    Members(String),
    /// An entry overlaps another one, or lies outside the archive.
    #[error("places {0:?} outside the archive or over another entry")]
    Range(String),
    /// A path occurs twice, or lies below a file or symbolic link.
    #[error("lists {0:?} twice, or below a file")]
    Duplicate(String),
}

impl IndexPosition {
    /// Returns where the index of a content of `size` bytes lies, given the content's last eight bytes.
    ///
    /// `None` if the content has no index that is read: its length is over [`MAX_INDEX_BYTES`] or exceeds the content.
    #[must_use]
    pub fn find(size: u64, last: [u8; 8]) -> Option<Self> {
        let json_bytes = u64::from_be_bytes(last);
        if !(2..=MAX_INDEX_BYTES).contains(&json_bytes) {
            return None;
        }
        let start = size.checked_sub(json_bytes + INDEX_FRAME_BYTES)?;
        (start >= TAR_END_BYTES && start.is_multiple_of(TAR_BLOCK)).then_some(Self { start, json_bytes })
    }

    /// Returns the size of the whole index in bytes, magic and length included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.json_bytes + INDEX_FRAME_BYTES
    }
}

impl ArchiveIndex {
    /// Parses the index at `position`, from its magic to the end of the content.
    ///
    /// `None` if these bytes do not start with the magic: the content has no index.
    ///
    /// # Errors
    ///
    /// Returns the reason if entries are unsafe, overlap, lie outside the tar, or occur twice.
    pub fn parse(bytes: &[u8], position: IndexPosition) -> Result<Option<Self>, InvalidIndex> {
        let Some(rest) = bytes.strip_prefix(INDEX_MAGIC.as_slice()) else { return Ok(None) };
        let json = usize::try_from(position.json_bytes).ok().and_then(|length| rest.get(..length));
        let records: Vec<IndexRecord<'_>> =
            serde_json::from_slice(json.ok_or(InvalidIndex::Magic)?).map_err(InvalidIndex::Json)?;
        let tar_bytes = position.start;
        let mut entries = Vec::with_capacity(records.len());
        let mut free_from = 0;
        for record in records {
            let entry = IndexEntry::check(&record)?;
            let is_free = entry.offset >= free_from && entry.offset.is_multiple_of(TAR_BLOCK);
            let end = entry.end().filter(|end| is_free && *end <= tar_bytes - TAR_END_BYTES);
            free_from = end.ok_or_else(|| InvalidIndex::Range(entry.path.as_str().to_owned()))?;
            entries.push(entry);
        }
        check_paths(&entries)?;
        Ok(Some(Self { entries, tar_bytes }))
    }
}

impl IndexEntry {
    fn check(record: &IndexRecord<'_>) -> Result<Self, InvalidIndex> {
        let path =
            ArchivePath::parse(&record.path).map_err(|reason| InvalidIndex::Path(record.path.to_string(), reason))?;
        let contradicts = || InvalidIndex::Members(path.as_str().to_owned());
        let link = match (record.kind, &record.link) {
            (IndexKind::Symlink, Some(target)) => {
                let target = SymlinkTarget::parse(target.as_bytes(), &path);
                Some(target.map_err(|reason| InvalidIndex::Link(path.as_str().to_owned(), reason))?)
            }
            (IndexKind::Symlink, None) | (_, Some(_)) => return Err(contradicts()),
            (IndexKind::File | IndexKind::Directory, None) => None,
        };
        let header_bytes = record.data.checked_sub(record.offset).ok_or_else(contradicts)?;
        let fits = header_bytes.is_multiple_of(TAR_BLOCK) && (TAR_BLOCK..=MAX_HEADER_BYTES).contains(&header_bytes);
        if !fits || (record.size > 0 && record.kind != IndexKind::File) {
            return Err(contradicts());
        }
        Ok(Self {
            path,
            kind: record.kind,
            offset: record.offset,
            data: record.data,
            size: record.size,
            mode: record.mode & 0o777,
            modified_ms: record.modified_ms,
            link,
        })
    }

    /// Returns whether the entry is a regular file.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        matches!(self.kind, IndexKind::File)
    }

    /// Returns the offset after the entry's last block; `None` beyond 2^64 bytes.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.data.checked_add(self.size.checked_next_multiple_of(TAR_BLOCK)?)
    }
}

/// Rejects duplicate paths, and paths below an entry that is no directory.
fn check_paths(entries: &[IndexEntry]) -> Result<(), InvalidIndex> {
    let mut sorted: Vec<_> = entries.iter().collect();
    // In this order, the entries below a path follow it directly.
    sorted.sort_by(|one, other| components(one).cmp(components(other)));
    for pair in sorted.windows(2) {
        let (above, below) = (pair[0].path.as_str(), pair[1].path.as_str());
        let is_below = below.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
        if above == below || (is_below && pair[0].kind != IndexKind::Directory) {
            return Err(InvalidIndex::Duplicate(below.to_owned()));
        }
    }
    Ok(())
}

/// Returns the bytes of the path, with the slash before all other bytes.
fn components(entry: &IndexEntry) -> impl Iterator<Item = u8> + '_ {
    entry.path.as_str().bytes().map(|byte| if byte == b'/' { 0 } else { byte })
}

#[cfg(test)]
mod tests;
