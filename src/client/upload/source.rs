//! What to send: read at any place, and watched for changes.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::client::pack::{Entry, Plan, nanos};
use crate::domain::crypto::digest::Sha256;

/// Something of known size that must not change while it is sent: a file, or several as one archive.
#[derive(Debug)]
pub struct Source(Kind);

#[derive(Debug)]
enum Kind {
    One(Watched),
    Archive { plan: Plan, modified: Option<SystemTime> },
}

/// An open file of known size, watched for changes.
#[derive(Debug)]
pub struct Watched {
    file: File,
    size: u64,
    mark: Mark,
}

/// What changes with a file even where its time of modification is set back: beside that time, device, inode, and time of
/// change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    modified: Option<SystemTime>,
    inode: Inode,
}

#[cfg(unix)]
type Inode = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Inode = ();

/// The file cannot be read as it was.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not what it was when the upload began.
    #[error("the file changed while it was being sent")]
    Changed,
    /// One file of an archive is not what it was.
    #[error("{name} changed while it was being sent")]
    ChangedIn {
        /// Its path within the archive.
        name: String,
    },
    /// It cannot be read.
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
    /// One file of an archive cannot be read.
    #[error("{name} cannot be read")]
    ReadIn {
        /// Its path within the archive.
        name: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Source {
    /// Opens the regular file at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// Takes a file that is open already.
    pub fn of(file: File) -> io::Result<Self> {
        Watched::of(file).map(|file| Self(Kind::One(file)))
    }

    /// Takes what `plan` makes of several files. `modified` is when their directory was.
    #[must_use]
    pub const fn archive(plan: Plan, modified: Option<SystemTime>) -> Self {
        Self(Kind::Archive { plan, modified })
    }

    /// The plan, where this is an archive.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        match &self.0 {
            Kind::One(_) => None,
            Kind::Archive { plan, .. } => Some(plan),
        }
    }

    /// How many bytes there are to send.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match &self.0 {
            Kind::One(file) => file.size,
            Kind::Archive { plan, .. } => plan.size(),
        }
    }

    /// When the file or the directory was last modified, in milliseconds since 1970 (UTC).
    #[must_use]
    pub fn modified_ms(&self) -> Option<i64> {
        let modified = match &self.0 {
            Kind::One(file) => file.mark.modified,
            Kind::Archive { modified, .. } => *modified,
        };
        modified.and_then(|modified| i64::try_from(nanos(Some(modified)) / 1_000_000).ok())
    }

    /// A digest of what a later process can compare, before it reads everything, to tell whether this is still the same: of
    /// a file its size and time, of an archive those of each entry, and its path.
    #[must_use]
    pub fn identity(&self) -> Sha256 {
        match &self.0 {
            Kind::One(file) => {
                let modified = nanos(file.mark.modified).to_be_bytes();
                Sha256::of_parts([b"file" as &[u8], &file.size.to_be_bytes(), &modified])
            }
            Kind::Archive { plan, .. } => plan.identity(),
        }
    }

    /// The file of an archive that the byte at `offset` belongs to.
    #[must_use]
    pub fn name_at(&self, offset: u64) -> Option<&str> {
        self.plan()?.at(offset).map(Entry::path)
    }

    /// Fills `buffer` with the bytes from `offset` on. Several threads may do so at once.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        match &self.0 {
            Kind::One(file) => file.read_exact_at(buffer, offset),
            Kind::Archive { plan, .. } => plan.read_exact_at(buffer, offset),
        }
    }

    /// Checks that size, times and inode are what they were.
    pub fn check_unchanged(&self) -> Result<(), SourceError> {
        match &self.0 {
            Kind::One(file) => file.check_unchanged(),
            Kind::Archive { plan, .. } => plan.check_unchanged(),
        }
    }
}

impl Watched {
    /// Takes a file that is open already.
    fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { size: metadata.len(), mark: Mark::of(&metadata), file })
    }

    /// Opens what was a plain file when it was looked at: no link, and nothing that would have to be waited for.
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

    pub(in crate::client) const fn mark(&self) -> &Mark {
        &self.mark
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
        let same = metadata.len() == self.size && self.mark.is_of(&metadata);
        if same { Ok(()) } else { Err(SourceError::Changed) }
    }
}

impl Mark {
    /// The mark of a file.
    pub(in crate::client) fn of(metadata: &Metadata) -> Self {
        Self { modified: modified(metadata), inode: inode(metadata) }
    }

    /// Whether the file has this mark.
    pub(in crate::client) fn is_of(&self, metadata: &Metadata) -> bool {
        *self == Self::of(metadata)
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    // Some file systems keep no such time; the size alone is watched there, and every tag that is sealed twice.
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

    #[test]
    fn another_size_or_time_is_another_identity() {
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
