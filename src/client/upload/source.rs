//! Source of the content: reads at any offset and detects changes.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::client::pack::{Entry, Plan, nanos};
use crate::domain::crypto::digest::Sha256;

/// Content of known size that must not change while it is sent: one file, or several files as an archive.
#[derive(Debug)]
pub struct Source(Kind);

#[derive(Debug)]
enum Kind {
    One(WatchedFile),
    Archive { plan: Plan, modified: Option<SystemTime>, mode: Option<u32> },
}

/// Open file of known size, watched for changes.
#[derive(Debug)]
pub struct WatchedFile {
    file: File,
    size: u64,
    /// Unix permissions, if the file is executable.
    executable_mode: Option<u32>,
    fingerprint: Fingerprint,
}

/// Fingerprint of one version of a file: modification time, device, inode and change time.
///
/// The change time reveals a change even if the modification time was set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    modified: Option<SystemTime>,
    inode: Inode,
}

#[cfg(unix)]
type Inode = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Inode = ();

/// The source cannot be read, or has changed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file has changed since the upload started.
    #[error("the file changed while it was being sent")]
    Changed,
    /// A file of an archive has changed.
    #[error("{name} changed while it was being sent")]
    ChangedIn {
        /// The file's path within the archive.
        name: String,
    },
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
    /// A file of an archive cannot be read.
    #[error("{name} cannot be read")]
    ReadIn {
        /// The file's path within the archive.
        name: String,
        /// The I/O error.
        #[source]
        source: io::Error,
    },
}

impl Source {
    /// Opens the regular file at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// Creates the source from an open file.
    pub fn of(file: File) -> io::Result<Self> {
        WatchedFile::of(file).map(|file| Self(Kind::One(file)))
    }

    /// Creates the source from the archive that `plan` describes; `directory` has the metadata of its directory.
    #[must_use]
    pub fn archive(plan: Plan, directory: Option<&Metadata>) -> Self {
        let modified = directory.and_then(|directory| directory.modified().ok());
        Self(Kind::Archive { plan, modified, mode: directory.and_then(unix_mode) })
    }

    /// Returns the archive's plan; `None` for a single file.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        match &self.0 {
            Kind::One(_) => None,
            Kind::Archive { plan, .. } => Some(plan),
        }
    }

    /// Returns the content size, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match &self.0 {
            Kind::One(file) => file.size,
            Kind::Archive { plan, .. } => plan.size(),
        }
    }

    /// Returns the modification time of the file or directory, in milliseconds since 1970 (UTC).
    #[must_use]
    pub fn modified_ms(&self) -> Option<i64> {
        let modified = match &self.0 {
            Kind::One(file) => file.fingerprint.modified,
            Kind::Archive { modified, .. } => *modified,
        };
        modified.and_then(|modified| i64::try_from(nanos(Some(modified)) / 1_000_000).ok())
    }

    /// Returns the Unix permissions of the directory, or of an executable file; `None` for other files.
    #[must_use]
    pub const fn mode(&self) -> Option<u32> {
        match &self.0 {
            Kind::One(file) => file.executable_mode,
            Kind::Archive { mode, .. } => *mode,
        }
    }

    /// Returns a digest that changes with the source, for comparison by a later process without reading the content.
    ///
    /// Covers size and modification time of a file; for an archive, these and the path of each entry.
    #[must_use]
    pub fn identity(&self) -> Sha256 {
        match &self.0 {
            Kind::One(file) => {
                let modified = nanos(file.fingerprint.modified).to_be_bytes();
                Sha256::of_parts([b"file" as &[u8], &file.size.to_be_bytes(), &modified])
            }
            Kind::Archive { plan, .. } => plan.identity(),
        }
    }

    /// Returns the path of the archive's file that contains the byte at `offset`.
    #[must_use]
    pub fn name_at(&self, offset: u64) -> Option<&str> {
        self.plan()?.at(offset).map(Entry::path)
    }

    /// Fills `buffer` with the bytes from `offset` on. Safe to call from several threads at once.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        match &self.0 {
            Kind::One(file) => file.read_exact_at(buffer, offset),
            Kind::Archive { plan, .. } => plan.read_exact_at(buffer, offset),
        }
    }

    /// Checks that size, times and inode are unchanged.
    pub fn check_unchanged(&self) -> Result<(), SourceError> {
        match &self.0 {
            Kind::One(file) => file.check_unchanged(),
            Kind::Archive { plan, .. } => plan.check_unchanged(),
        }
    }
}

impl WatchedFile {
    /// Creates the source from an open file.
    fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let executable_mode = unix_mode(&metadata).filter(|mode| mode & 0o111 != 0);
        Ok(Self { size: metadata.len(), executable_mode, fingerprint: Fingerprint::of(&metadata), file })
    }

    /// Opens a path that was a regular file when listed: follows no symlink, and never blocks on a FIFO or device.
    pub(in crate::client) fn open_plain(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        options.read(true);
        #[cfg(unix)]
        {
            use rustix::fs::OFlags;
            let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.cast_signed());
        }
        Self::of(options.open(path)?)
    }

    pub(in crate::client) const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(in crate::client) const fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(in crate::client) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        match read_exact_at(&self.file, buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SourceError::Changed),
            outcome => Ok(outcome?),
        }
    }

    fn check_unchanged(&self) -> Result<(), SourceError> {
        let metadata = self.file.metadata()?;
        let is_same = metadata.len() == self.size && self.fingerprint.is_of(&metadata);
        if is_same { Ok(()) } else { Err(SourceError::Changed) }
    }
}

impl Fingerprint {
    /// Returns the fingerprint of a file's metadata.
    pub(in crate::client) fn of(metadata: &Metadata) -> Self {
        Self { modified: modified(metadata), inode: inode(metadata) }
    }

    /// Returns whether the metadata has this fingerprint.
    pub(in crate::client) fn is_of(&self, metadata: &Metadata) -> bool {
        *self == Self::of(metadata)
    }
}

/// Returns the read, write and execute permissions; `None` on systems without them.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no permissions")]
fn unix_mode(metadata: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777)
}

#[cfg(not(unix))]
const fn unix_mode(_: &Metadata) -> Option<u32> {
    None
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    // Without modification times on a file system, only the size and the tags of segments sealed again are compared.
    metadata.modified().ok()
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
const fn inode(_: &Metadata) -> Inode {}

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
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_change_is_detected() {
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
    fn a_change_is_detected_after_the_time_was_set_back() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"content").unwrap();
        file.as_file().set_modified(UNIX_EPOCH).unwrap();
        let source = Source::open(file.path()).unwrap();
        // The clock of change times may have a resolution of only 10 ms.
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

    #[test]
    fn the_identity_changes_with_size_and_time() {
        let identity = |size, seconds| {
            let file = tempfile::tempfile().unwrap();
            file.set_len(size).unwrap();
            file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
            Source::of(file).unwrap().identity()
        };
        assert_eq!(identity(7, 1), identity(7, 1));
        assert!(identity(7, 1) != identity(7, 2) && identity(7, 1) != identity(8, 1));
    }
}
