//! A file that tells of an unfinished transfer: one line of JSON, and the tags of its payload's segments.
//!
//! The line is filled up with spaces to a multiple of 4 096 bytes; then comes the tag of every segment, 16 bytes each,
//! zeros where none is recorded. The file has its full size from the start, so that recording a tag changes no size and
//! needs no write to a file system's journal. Its mode is 0600, and while a process works with it, it has its lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::leftovers;
use crate::domain::crypto::sealed::{TAG_SIZE, Tag};

/// The first part of the file is a multiple of this, so that no tag lies across two sectors.
const BLOCK: usize = 4_096;

/// An open file of tags.
#[derive(Debug)]
pub(super) struct TagFile {
    path: PathBuf,
    file: File,
    tags_at: u64,
}

/// What a file of tags holds: its line, and the tag of every segment that has one.
pub(super) type Told<T> = (T, Vec<Option<Tag>>);

/// Reads what such a file holds.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<Told<T>> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::InvalidData)?;
    let front = serde_json::from_slice(&bytes[..end])?;
    let tags = bytes.get((end + 1).next_multiple_of(BLOCK)..).unwrap_or_default();
    let (tags, _) = tags.as_chunks::<TAG_SIZE>();
    let recorded = |tag: &[u8; TAG_SIZE]| (*tag != [0; TAG_SIZE]).then(|| Tag::from_bytes(*tag));
    Ok((front, tags.iter().map(recorded).collect()))
}

/// Reads from a file of tags without waiting for whoever works with it.
pub(super) fn read<T: DeserializeOwned>(file: &mut File) -> io::Result<Told<T>> {
    // Keys may stand in it.
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes)?;
    parse(&bytes)
}

impl TagFile {
    /// Creates the file at `path`, which is not there yet, with this `front` and room for the tags of `segments` segments.
    /// Blocks.
    pub(super) fn create(path: PathBuf, front: &impl Serialize, segments: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            leftovers::prepare(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        // Best effort: where there are no locks, two processes that work with one file are not told apart.
        let _ = file.try_lock();
        let mut this = Self { path, file, tags_at: 0 };
        match this.write_front(front, segments) {
            Ok(()) => Ok(this),
            Err(error) => {
                this.remove();
                Err(error)
            }
        }
    }

    /// Opens and reads the file of another process. `None` where a process still works with it.
    pub(super) fn open<T: DeserializeOwned>(path: PathBuf) -> io::Result<Option<(Self, Told<T>)>> {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        // Where there are no locks, nobody can tell either.
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let told: Told<T> = read(&mut file)?;
        let tags_at = file.metadata()?.len() - (told.1.len() * TAG_SIZE) as u64;
        Ok(Some((Self { path, file, tags_at }, told)))
    }

    fn write_front(&mut self, front: &impl Serialize, segments: u64) -> io::Result<()> {
        let mut line = Zeroizing::new(Vec::with_capacity(BLOCK));
        serde_json::to_writer(&mut *line, front)?;
        line.push(b'\n');
        let length = line.len().next_multiple_of(BLOCK);
        line.resize(length, b' ');
        self.file.write_all(&line)?;
        self.tags_at = line.len() as u64;
        io::copy(&mut io::repeat(0).take(segments * TAG_SIZE as u64), &mut self.file).map(drop)
    }

    /// Writes the tags of segments `first`, `first + 1`, …
    pub(super) fn write(&mut self, first: u64, tags: &[Tag]) -> io::Result<()> {
        let bytes: Vec<u8> = tags.iter().flat_map(Tag::as_bytes).copied().collect();
        self.file.seek(SeekFrom::Start(self.tags_at + first * TAG_SIZE as u64))?;
        self.file.write_all(&bytes)
    }

    /// Waits until everything that was written is on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Waits until the file and its name are on disk.
    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        #[cfg(unix)]
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }

    /// Removes the file, unless another has taken its place.
    pub(super) fn remove(self) {
        if !is_at(&self.file, &self.path).is_ok_and(|is_at| is_at) {
            return;
        }
        // What remains is of no use to anybody without the transfer, and goes with it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether `path` still leads to `file`.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &std::path::Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (opened, named) = (file.metadata()?, path.symlink_metadata()?);
    Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}

/// Whether `path` still leads to a file: an open one cannot be replaced here.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, path: &std::path::Path) -> io::Result<bool> {
    path.try_exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/uploads/x");
        let front = "e".repeat(5_000);
        let mut file = TagFile::create(path.clone(), &front, 5).unwrap();
        let tags: Vec<Tag> = (1..=3).map(|byte| Tag::from_bytes([byte; 16])).collect();
        file.write(3, &tags[2..]).unwrap();
        file.write(0, &tags[..2]).unwrap();
        file.sync_all().unwrap();

        let look = || read::<String>(&mut File::open(&path).unwrap()).unwrap();
        assert_eq!(look(), (front.clone(), vec![Some(tags[0]), Some(tags[1]), None, Some(tags[2]), None]));
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * 4_096 + 5 * 16);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        assert!(TagFile::create(path.clone(), &front, 5).is_err(), "a transfer has one file");
        assert!(TagFile::open::<String>(path.clone()).unwrap().is_none(), "two processes have one file");

        drop(file);
        let (mut file, (again, recorded)) = TagFile::open::<String>(path.clone()).unwrap().unwrap();
        assert_eq!((again, recorded[3]), (front.clone(), Some(tags[2])));
        file.write(4, &tags[..1]).unwrap();
        assert_eq!(look().1[2..], [None, Some(tags[2]), Some(tags[0])]);
        file.remove();
        assert!(!path.exists());
    }
}
