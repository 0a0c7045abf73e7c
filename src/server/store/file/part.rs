//! Partial payload file during an upload, locked by its single writer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::Durability;
use super::folder::{Folder, hard_links, length, make_directory, optional};
use crate::domain::id::PayloadId;
use crate::domain::store::StoreError;

/// Interval of syncs in bytes (8 MiB).
///
/// No byte beyond a multiple of it is written before the file is synced up to that multiple, so the file's length
/// bounds its unsynced end. A power loss costs at most twice this size.
const SYNC_EVERY: u64 = 8 << 20;

/// Returns the number of bytes that are certainly on disk in a partial file of `length` bytes.
pub(super) const fn synced_prefix(length: u64) -> u64 {
    length.saturating_sub(1) / SYNC_EVERY * SYNC_EVERY
}

/// Partial file, locked through the operating system until this value is dropped or the process ends.
pub(super) struct Part {
    folder: Arc<Folder>,
    id: PayloadId,
    file: File,
    length: u64,
    /// Length up to which the file is synced.
    synced_length: u64,
    /// Whether the file's directory entry is synced.
    is_entry_synced: bool,
}

impl Part {
    /// Locks the existing partial file; `None` if there is no such file.
    ///
    /// # Errors
    /// [`StoreError::WriterBusy`] while another writer holds the lock.
    pub(super) fn existing(folder: &Arc<Folder>, id: PayloadId) -> Result<Option<Self>, StoreError> {
        Self::take(folder, id, false)
    }

    /// Locks the partial file for writing at `offset`, which must be its length; creates it for offset 0.
    ///
    /// # Errors
    /// [`StoreError::OffsetMismatch`] for another length or a finished payload, [`StoreError::WriterBusy`] while
    /// another writer holds the lock.
    pub(super) fn open_at(folder: &Arc<Folder>, id: PayloadId, offset: u64) -> Result<Self, StoreError> {
        let finished = folder.finished(id);
        if let Some(received_bytes) = length(&finished)? {
            return Err(StoreError::OffsetMismatch { received_bytes });
        }
        let taken = Self::take(folder, id, offset == 0)?;
        let mut part = taken.ok_or(StoreError::OffsetMismatch { received_bytes: 0 })?;
        // The payload may have been finished between the first check and the creation of this file.
        if let Some(received_bytes) = length(&finished)? {
            if part.length == 0 {
                part.remove()?;
            }
            return Err(StoreError::OffsetMismatch { received_bytes });
        }
        if part.length != offset {
            return Err(StoreError::OffsetMismatch { received_bytes: part.length });
        }
        if offset > 0 && folder.durability() == Durability::Full {
            // Bytes of an earlier process count as received only once they are synced.
            part.sync()?;
        }
        part.file.seek(SeekFrom::Start(offset))?;
        Ok(part)
    }

    fn take(folder: &Arc<Folder>, id: PayloadId, create: bool) -> Result<Option<Self>, StoreError> {
        let path = folder.part(id);
        loop {
            let Some(file) = optional(open(&path, create))? else {
                if !create {
                    return Ok(None);
                }
                make_directory(&folder.shard(id), folder.durability())?;
                continue;
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::WriterBusy),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // The previous holder of the lock may have renamed or removed the file: the path then leads elsewhere.
            if is_at(&file, &path)? {
                let length = file.metadata()?.len();
                return Ok(Some(Self {
                    folder: Arc::clone(folder),
                    id,
                    file,
                    length,
                    synced_length: 0,
                    is_entry_synced: false,
                }));
            }
        }
    }

    /// Returns the length of the file in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends `pieces`. After an error a prefix of them may be written.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] if the file was removed, since the written bytes could never be found.
    pub(super) fn append(&mut self, mut pieces: Vec<Bytes>) -> Result<(), StoreError> {
        if hard_links(&self.file.metadata()?) == 0 {
            return Err(StoreError::NoPayload);
        }
        while !pieces.is_empty() {
            let rest = split_off(&mut pieces, SYNC_EVERY - self.length % SYNC_EVERY);
            self.write(&pieces)?;
            if self.length.is_multiple_of(SYNC_EVERY) && self.folder.durability() == Durability::Full {
                self.sync()?;
                self.sync_name()?;
            }
            pieces = rest;
        }
        Ok(())
    }

    fn write(&mut self, pieces: &[Bytes]) -> Result<(), StoreError> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        // Skips leading empty slices: a write of nothing returns 0, which counts as an error below.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.file.write_vectored(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => {
                    self.length += written as u64;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Truncates the file to `length` bytes.
    pub(super) fn truncate(&mut self, length: u64) -> Result<(), StoreError> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        self.length = length;
        self.synced_length = self.synced_length.min(length);
        Ok(())
    }

    /// Syncs the file and renames it to the finished payload, unless it was removed.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        let path = self.folder.part(self.id);
        if self.folder.durability() == Durability::Full {
            self.sync()?;
        }
        if is_at(&self.file, &path)? && optional(std::fs::rename(&path, self.folder.finished(self.id)))?.is_some() {
            self.folder.sync(self.id)?;
        }
        Ok(())
    }

    /// Syncs the file's data; on failure truncates the file to its synced length.
    ///
    /// After a failed sync the kernel may consider lost pages clean and report no further error, so only bytes synced
    /// before can be trusted.
    fn sync(&mut self) -> Result<(), StoreError> {
        if let Err(failed) = self.file.sync_data() {
            self.truncate(self.synced_length)?;
            return Err(failed.into());
        }
        self.synced_length = self.length;
        Ok(())
    }

    /// Syncs the file's directory entry once. Most payloads are finished before the first call.
    fn sync_name(&mut self) -> Result<(), StoreError> {
        if !self.is_entry_synced {
            self.folder.sync(self.id)?;
            self.is_entry_synced = true;
        }
        Ok(())
    }

    fn remove(&self) -> io::Result<()> {
        optional(std::fs::remove_file(self.folder.part(self.id))).map(drop)
    }
}

impl Drop for Part {
    /// Unlocks the file explicitly.
    ///
    /// Closing the file is not enough: a child process between fork and exec has a copy of the descriptor, and with it
    /// the lock.
    fn drop(&mut self) {
        // A failed unlock is harmless: closing the file releases the lock.
        drop(self.file.unlock());
    }
}

/// Truncates `pieces` to `max` bytes and returns the rest.
fn split_off(pieces: &mut Vec<Bytes>, max: u64) -> Vec<Bytes> {
    let mut max = usize::try_from(max).unwrap_or(usize::MAX);
    let overflow = pieces.iter().position(|piece| match max.checked_sub(piece.len()) {
        Some(left) => {
            max = left;
            false
        }
        None => true,
    });
    let Some(at) = overflow else { return Vec::new() };
    let mut rest = pieces.split_off(at);
    pieces.push(rest[0].split_to(max));
    rest
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(create).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Returns whether `path` still leads to `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    let is_entry_synced = optional(std::fs::metadata(path))?;
    Ok(is_entry_synced.is_some_and(|is_entry_synced| {
        (is_entry_synced.dev(), is_entry_synced.ino()) == (metadata.dev(), metadata.ino())
    }))
}

/// Returns whether `path` exists: on this system an open file cannot be replaced.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_split_at_the_maximum() {
        let split = |max| {
            let mut pieces = vec![Bytes::from_static(b"abc"), Bytes::from_static(b"de")];
            let rest = split_off(&mut pieces, max);
            (pieces.concat(), rest.concat())
        };
        assert_eq!(split(2), (b"ab".to_vec(), b"cde".to_vec()));
        assert_eq!(split(3), (b"abc".to_vec(), b"de".to_vec()));
        assert_eq!(split(4), (b"abcd".to_vec(), b"e".to_vec()));
        assert_eq!(split(5), (b"abcde".to_vec(), vec![]));
        assert_eq!(split(9), (b"abcde".to_vec(), vec![]));
    }
}
