//! A payload's file while it is uploaded, held by the one process that may touch it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::Durability;
use super::folder::{Folder, length, make_directory, names, present};
use crate::domain::id::TransferId;
use crate::domain::store::StoreError;

/// After every so many bytes the file is synced, and nothing is written beyond before it is: its length then tells up to
/// where the disk has it. A power loss costs twice as much at most.
const SYNC_EVERY: u64 = 8 << 20;

/// How much of a partial file of this length is on the disk for sure.
pub(super) const fn sure_of(length: u64) -> u64 {
    length.saturating_sub(1) / SYNC_EVERY * SYNC_EVERY
}

/// A partial file under the operating system's lock, which ends with this value or with the process.
pub(super) struct Part {
    folder: Arc<Folder>,
    id: TransferId,
    file: File,
    length: u64,
    /// Up to where the disk has it.
    synced: u64,
    /// Whether the disk has its name.
    named: bool,
}

impl Part {
    /// Takes the file that is there; `None` where there is none.
    pub(super) fn existing(folder: &Arc<Folder>, id: TransferId) -> Result<Option<Self>, StoreError> {
        Self::take(folder, id, false)
    }

    /// Takes the file to write at `offset`, which must be its end.
    pub(super) fn ending_at(folder: &Arc<Folder>, id: TransferId, offset: u64) -> Result<Self, StoreError> {
        let finished = folder.finished(id);
        if let Some(received_bytes) = length(&finished)? {
            return Err(StoreError::OffsetMismatch { received_bytes });
        }
        let taken = Self::take(folder, id, offset == 0)?;
        let mut part = taken.ok_or(StoreError::OffsetMismatch { received_bytes: 0 })?;
        // It may have been finished before this one was made.
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
            // What an earlier process wrote counts as kept only once the disk has it.
            part.sync()?;
        }
        part.file.seek(SeekFrom::Start(offset))?;
        Ok(part)
    }

    fn take(folder: &Arc<Folder>, id: TransferId, create: bool) -> Result<Option<Self>, StoreError> {
        let path = folder.part(id);
        loop {
            let Some(file) = present(open(&path, create))? else {
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
            // Whoever had the lock may have finished or removed it; then the name leads elsewhere by now.
            if is_at(&file, &path)? {
                let length = file.metadata()?.len();
                return Ok(Some(Self { folder: Arc::clone(folder), id, file, length, synced: 0, named: false }));
            }
        }
    }

    /// How long it is.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends `pieces`. After an error they are there in part, from the front.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] once it was removed: nobody would ever find what was written.
    pub(super) fn append(&mut self, mut pieces: Vec<Bytes>) -> Result<(), StoreError> {
        if names(&self.file.metadata()?) == 0 {
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
        // Slices that are empty at the front would make a write of nothing.
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

    /// Cuts it off at `length`.
    pub(super) fn truncate(&mut self, length: u64) -> Result<(), StoreError> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        self.length = length;
        self.synced = self.synced.min(length);
        Ok(())
    }

    /// Makes it final and durable, unless it was removed.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        let path = self.folder.part(self.id);
        if self.folder.durability() == Durability::Full {
            self.sync()?;
        }
        if is_at(&self.file, &path)? && present(std::fs::rename(&path, self.folder.finished(self.id)))?.is_some() {
            self.folder.sync(self.id)?;
        }
        Ok(())
    }

    /// After a failure the system may think that the disk has what it has not, and would not say so again: only what
    /// was synced before can be trusted.
    fn sync(&mut self) -> Result<(), StoreError> {
        if let Err(failed) = self.file.sync_data() {
            self.truncate(self.synced)?;
            return Err(failed.into());
        }
        self.synced = self.length;
        Ok(())
    }

    /// Makes its name durable. Most payloads are finished before this costs anything.
    fn sync_name(&mut self) -> Result<(), StoreError> {
        if !self.named {
            self.folder.sync(self.id)?;
            self.named = true;
        }
        Ok(())
    }

    fn remove(&self) -> io::Result<()> {
        present(std::fs::remove_file(self.folder.part(self.id))).map(drop)
    }
}

impl Drop for Part {
    /// Closing the file would not do: a process that is being started has a copy of it for a moment, and the lock with it.
    fn drop(&mut self) {
        // What fails to be unlocked is unlocked when it is closed.
        drop(self.file.unlock());
    }
}

/// Leaves the first `room` bytes of `pieces`, and answers the rest.
fn split_off(pieces: &mut Vec<Bytes>, room: u64) -> Vec<Bytes> {
    let mut room = usize::try_from(room).unwrap_or(usize::MAX);
    let too_much = pieces.iter().position(|piece| match room.checked_sub(piece.len()) {
        Some(left) => {
            room = left;
            false
        }
        None => true,
    });
    let Some(at) = too_much else { return Vec::new() };
    let mut rest = pieces.split_off(at);
    pieces.push(rest[0].split_to(room));
    rest
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(create).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether `path` still leads to `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let opened = file.metadata()?;
    let named = present(std::fs::metadata(path))?;
    Ok(named.is_some_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())))
}

/// Whether `path` still leads to a file: an open one cannot be replaced here.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_split_where_the_room_ends() {
        let split = |room| {
            let mut pieces = vec![Bytes::from_static(b"abc"), Bytes::from_static(b"de")];
            let rest = split_off(&mut pieces, room);
            (pieces.concat(), rest.concat())
        };
        assert_eq!(split(2), (b"ab".to_vec(), b"cde".to_vec()));
        assert_eq!(split(3), (b"abc".to_vec(), b"de".to_vec()));
        assert_eq!(split(4), (b"abcd".to_vec(), b"e".to_vec()));
        assert_eq!(split(5), (b"abcde".to_vec(), vec![]));
        assert_eq!(split(9), (b"abcde".to_vec(), vec![]));
    }
}
