//! State file of an unfinished transfer: one line of JSON, and the tags of its payload's segments.
//!
//! The line is padded with spaces to a multiple of 4,096 bytes; the tag of every segment follows, 16 bytes each,
//! zeros for a segment without a recorded tag. The file has room for tags from the start, so that recording a tag changes
//! no size and needs no write to the file system's journal. The file has mode 0600, and is locked by the
//! process that uses it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::state_files;
use crate::domain::crypto::sealed::{TAG_SIZE, Tag};

/// Padding of the JSON line in bytes. The line ends at a multiple of this size, so that no tag spans two sectors.
const BLOCK: usize = 4_096;

/// Open state file with its segment tags.
#[derive(Debug)]
pub(super) struct TagFile {
    path: PathBuf,
    file: File,
    tags_offset: u64,
}

/// Contents of a state file: its JSON line, and a tag for each segment that has one recorded.
pub(super) type TagFileContents<T> = (T, Vec<Option<Tag>>);

/// Parses the contents of a state file.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<TagFileContents<T>> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::InvalidData)?;
    let front = serde_json::from_slice(&bytes[..end])?;
    let tags = bytes.get((end + 1).next_multiple_of(BLOCK)..).unwrap_or_default();
    let (tags, _) = tags.as_chunks::<TAG_SIZE>();
    let recorded = |tag: &[u8; TAG_SIZE]| (*tag != [0; TAG_SIZE]).then(|| Tag::from_bytes(*tag));
    Ok((front, tags.iter().map(recorded).collect()))
}

/// Reads a state file without taking its lock.
fn read<T: DeserializeOwned>(file: &mut File) -> io::Result<TagFileContents<T>> {
    // The file may contain keys.
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes)?;
    parse(&bytes)
}

/// Reads the JSON line of a state file without taking its lock, and without reading the tags.
pub(super) fn read_front<T: DeserializeOwned>(file: &File) -> io::Result<T> {
    // The line may contain keys.
    let mut line = Zeroizing::new(Vec::with_capacity(BLOCK));
    BufReader::new(file).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

impl TagFile {
    /// Creates a file at the unused `path`, with the line `front`. Blocks.
    ///
    /// The file has space for the tags of `segments` segments, and grows if more are recorded.
    pub(super) fn create(path: PathBuf, front: &impl Serialize, segments: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            state_files::make_private(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        // Best effort: on file systems without locks, concurrent use by two processes is not detected.
        let _ = file.try_lock();
        let mut this = Self { path, file, tags_offset: 0 };
        match this.write_front(front, segments) {
            Ok(()) => Ok(this),
            Err(error) => {
                this.remove();
                Err(error)
            }
        }
    }

    /// Opens, locks and reads the file of an earlier process; `None` if another process has the lock.
    pub(super) fn open<T: DeserializeOwned>(path: PathBuf) -> io::Result<Option<(Self, TagFileContents<T>)>> {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        // On file systems without locks, this reports the file as in use.
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let contents: TagFileContents<T> = read(&mut file)?;
        let tags_offset = file.metadata()?.len() - (contents.1.len() * TAG_SIZE) as u64;
        Ok(Some((Self { path, file, tags_offset }, contents)))
    }

    fn write_front(&mut self, front: &impl Serialize, segments: u64) -> io::Result<()> {
        let mut line = Zeroizing::new(Vec::with_capacity(BLOCK));
        serde_json::to_writer(&mut *line, front)?;
        line.push(b'\n');
        let length = line.len().next_multiple_of(BLOCK);
        line.resize(length, b' ');
        self.file.write_all(&line)?;
        self.tags_offset = line.len() as u64;
        io::copy(&mut io::repeat(0).take(segments * TAG_SIZE as u64), &mut self.file).map(drop)
    }

    /// Writes the tags of segments `first`, `first + 1`, … without waiting for the disk.
    pub(super) fn write(&mut self, first: u64, tags: &[Tag]) -> io::Result<()> {
        let bytes: Vec<u8> = tags.iter().flat_map(Tag::as_bytes).copied().collect();
        self.file.seek(SeekFrom::Start(self.tags_offset + first * TAG_SIZE as u64))?;
        self.file.write_all(&bytes)
    }

    /// Flushes all written tags to disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Flushes the file and its directory entry to disk.
    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        #[cfg(unix)]
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }

    /// Removes the file so that no other process can use it.
    ///
    /// # Errors
    /// Fails if the file remains with its contents.
    pub(super) fn discard(self) -> io::Result<()> {
        // An empty file is ignored by every reader, also if a power failure undoes the removal.
        let emptied = self.file.set_len(0).and_then(|()| self.file.sync_all());
        match is_at(&self.file, &self.path).and_then(|is_at| if is_at { fs::remove_file(&self.path) } else { Ok(()) }) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => emptied,
            _ => Ok(()),
        }
    }

    /// Removes the file, unless another file has taken its path. Ignores errors.
    pub(super) fn remove(self) {
        if !is_at(&self.file, &self.path).is_ok_and(|is_at| is_at) {
            return;
        }
        // A remaining file is useless without its transfer, and is removed once it is too old.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes a state file that no process uses. Ignores errors.
pub(super) fn remove_unused(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path);
    // Without support for locks, the file counts as unused.
    if !file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock))) {
        let _ = fs::remove_file(path);
    }
}

/// Returns whether `path` still refers to `file`.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (opened, named) = (file.metadata()?, path.symlink_metadata()?);
    Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}

/// Returns whether `path` still exists: on this platform an open file cannot be replaced.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_tags_are_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/uploads/x");
        let front = "e".repeat(5_000);
        let mut file = TagFile::create(path.clone(), &front, 5).unwrap();
        let tags: Vec<Tag> = (1..=3).map(|byte| Tag::from_bytes([byte; 16])).collect();
        file.write(3, &tags[2..]).unwrap();
        file.write(0, &tags[..2]).unwrap();
        file.sync_all().unwrap();

        let read_file = || read::<String>(&mut File::open(&path).unwrap()).unwrap();
        assert_eq!(read_file(), (front.clone(), vec![Some(tags[0]), Some(tags[1]), None, Some(tags[2]), None]));
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * 4_096 + 5 * 16);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        assert!(TagFile::create(path.clone(), &front, 5).is_err(), "the second file of a transfer was created");
        assert!(TagFile::open::<String>(path.clone()).unwrap().is_none(), "a locked file was opened");

        drop(file);
        let (mut file, (again, recorded)) = TagFile::open::<String>(path.clone()).unwrap().unwrap();
        assert_eq!((again, recorded[3]), (front.clone(), Some(tags[2])));
        file.write(4, &tags[..1]).unwrap();
        assert_eq!(read_file().1[2..], [None, Some(tags[2]), Some(tags[0])]);
        file.remove();
        assert!(!path.exists());
    }
}
