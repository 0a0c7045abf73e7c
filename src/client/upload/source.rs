//! The file to send: read at any place, and watched for changes.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::digest::Sha256;

/// A file of known size that must not change while it is sent.
#[derive(Debug)]
pub struct Source {
    file: File,
    size: u64,
    modified: Option<SystemTime>,
    mark: Mark,
}

/// What changes with a file even where its time of modification is set back: device, inode, and time of change.
#[cfg(unix)]
type Mark = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Mark = ();

/// The file cannot be read as it was.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not what it was when the upload began.
    #[error("the file changed while it was being sent")]
    Changed,
    /// It cannot be read.
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
}

impl Source {
    /// Opens the regular file at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// Takes a file that is open already.
    pub fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { size: metadata.len(), modified: modified(&metadata), mark: mark(&metadata), file })
    }

    /// How many bytes there are to send.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What tells this source from another without reading it: its size and its time.
    #[must_use]
    pub fn identity(&self) -> Sha256 {
        Sha256::of(format!("{} {:?}", self.size, self.modified_ms()).as_bytes())
    }

    /// When the file was last modified, in milliseconds since 1970 (UTC).
    #[must_use]
    pub fn modified_ms(&self) -> Option<i64> {
        let since = self.modified?.duration_since(UNIX_EPOCH);
        let (millis, sign) = match since {
            Ok(after) => (after.as_millis(), 1),
            Err(before) => (before.duration().as_millis(), -1),
        };
        i64::try_from(millis).ok().map(|millis| sign * millis)
    }

    /// Fills `buffer` with the bytes from `offset` on. Several threads may do so at once.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        match read_exact_at(&self.file, buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SourceError::Changed),
            outcome => Ok(outcome?),
        }
    }

    /// Checks that size, times and inode are what they were.
    pub fn check_unchanged(&self) -> Result<(), SourceError> {
        let metadata = self.file.metadata()?;
        let now = (metadata.len(), modified(&metadata), mark(&metadata));
        if now == (self.size, self.modified, self.mark) { Ok(()) } else { Err(SourceError::Changed) }
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    // Some file systems keep no such time; the size alone is watched there, and every tag that is sealed twice.
    metadata.modified().ok()
}

#[cfg(unix)]
fn mark(metadata: &Metadata) -> Mark {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
const fn mark(_: &Metadata) -> Mark {}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_change_is_noticed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"content").unwrap();
        let source = Source::open(file.path()).unwrap();
        let mut buffer = [0; 4];
        source.read_exact_at(&mut buffer, 3).unwrap();
        assert_eq!(&buffer, b"tent");
        assert!(source.check_unchanged().is_ok());
        assert!(matches!(source.read_exact_at(&mut buffer, 4), Err(SourceError::Changed)));

        file.as_file().set_modified(SystemTime::now() + std::time::Duration::from_secs(2)).unwrap();
        assert!(matches!(source.check_unchanged(), Err(SourceError::Changed)));
        file.write_all(b"!").unwrap();
        assert!(matches!(source.check_unchanged(), Err(SourceError::Changed)));
    }

    #[cfg(unix)]
    #[test]
    fn a_change_is_noticed_although_the_time_was_set_back() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"content").unwrap();
        file.as_file().set_modified(UNIX_EPOCH).unwrap();
        let source = Source::open(file.path()).unwrap();
        // Times of change come from a clock that may tick a hundred times a second only.
        let changed = (0..1_000_000).any(|_| {
            std::fs::write(file.path(), b"CONTENT").unwrap();
            file.as_file().set_modified(UNIX_EPOCH).unwrap();
            source.check_unchanged().is_err()
        });
        assert!(changed);
    }

    #[test]
    fn times_before_1970_are_negative() {
        let file = tempfile::tempfile().unwrap();
        file.set_modified(UNIX_EPOCH - std::time::Duration::from_millis(1500)).unwrap();
        assert_eq!(Source::of(file).unwrap().modified_ms(), Some(-1500));
    }
}
