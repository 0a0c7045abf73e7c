//! Source of the content: reads at any offset and detects changes.

use std::fs::{File, Metadata};
use std::io;
use std::iter;
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use super::watched_file::{WatchedFile, unix_mode};
use crate::client::pack::{Entry, Plan, nanos};

/// Content of known size that must not change while it is sent. Either one file, or several files as an archive.
#[derive(Debug)]
pub struct UploadSource(SourceKind);

#[derive(Debug)]
enum SourceKind {
    One { file: WatchedFile, size: u64, snapshot: bool },
    Archive { plan: Box<Plan>, modified: Option<SystemTime>, mode: Option<u32> },
}

/// The source cannot be read, or has changed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file has changed since the upload started.
    #[error("{} {change}", name.as_deref().unwrap_or("the file"))]
    Changed {
        /// The file's path within the archive; `None` for a single file.
        name: Option<String>,
        /// Kind of the change.
        change: SourceChange,
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

/// Change of a file that ends its upload; the text continues a sentence that starts with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceChange {
    /// The content is different.
    #[error("changed while it was being sent")]
    Content,
    /// The file is shorter.
    #[error("became shorter while it was being sent")]
    Shrunk,
    /// The file is longer.
    #[error("grew while it was being sent")]
    Grown,
    /// The file was moved or removed before its content was read.
    #[error("was moved or removed before it was sent")]
    Gone,
    /// The path of the file leads elsewhere, for example through a symbolic link.
    #[error("was replaced by another file or a symlink before it was sent")]
    Replaced,
}

impl SourceChange {
    /// Returns the error for this change of the archive's file `name`, or of the single file.
    pub(in crate::client) fn in_file(self, name: Option<&str>) -> SourceError {
        SourceError::Changed { name: name.map(str::to_owned), change: self }
    }

    /// Compares the current size of a file with the size to send. A longer file is fine if `snapshot` is set.
    pub(in crate::client) const fn of_size(now: u64, sent: u64, snapshot: bool) -> Option<Self> {
        match now {
            now if now < sent => Some(Self::Shrunk),
            now if now > sent && !snapshot => Some(Self::Grown),
            _ => None,
        }
    }
}

impl UploadSource {
    /// Opens the regular file at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// Creates the source from an open file.
    pub fn of(file: File) -> io::Result<Self> {
        let file = WatchedFile::of(file)?;
        Ok(Self(SourceKind::One { size: file.size(), file, snapshot: false }))
    }

    /// Sends the size that a single file has now, although the file may grow.
    #[must_use]
    pub fn snapshot(mut self) -> Self {
        if let SourceKind::One { snapshot, .. } = &mut self.0 {
            *snapshot = true;
        }
        self
    }

    /// Returns the source as an earlier snapshot of `size` bytes had it. Unchanged if the source is no snapshot, or
    /// shorter.
    pub(super) fn cut_to(mut self, to: u64) -> Self {
        if let SourceKind::One { size, snapshot: true, .. } = &mut self.0 {
            *size = to.min(*size);
        }
        self
    }

    /// Creates the source from the archive that `plan` describes. `directory` has the metadata of its directory.
    #[must_use]
    pub fn archive(plan: Plan, directory: Option<&Metadata>) -> Self {
        let modified = directory.and_then(|directory| directory.modified().ok());
        Self(SourceKind::Archive { plan: Box::new(plan), modified, mode: directory.and_then(unix_mode) })
    }

    /// Returns the archive's plan; `None` for a single file.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        match &self.0 {
            SourceKind::One { .. } => None,
            SourceKind::Archive { plan, .. } => Some(plan),
        }
    }

    /// Returns the content size, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match &self.0 {
            SourceKind::One { size, .. } => *size,
            SourceKind::Archive { plan, .. } => plan.size(),
        }
    }

    /// Returns the modification time of the file or directory, in milliseconds since 1970 (UTC).
    #[must_use]
    pub fn modified_ms(&self) -> Option<i64> {
        let modified = match &self.0 {
            SourceKind::One { file, .. } => file.fingerprint().modified(),
            SourceKind::Archive { modified, .. } => *modified,
        };
        modified.and_then(|modified| i64::try_from(nanos(Some(modified)) / 1_000_000).ok())
    }

    /// Returns the Unix permissions of the directory, or of an executable file; `None` for other files.
    #[must_use]
    pub const fn mode(&self) -> Option<u32> {
        match &self.0 {
            SourceKind::One { file, .. } => file.executable_mode(),
            SourceKind::Archive { mode, .. } => *mode,
        }
    }

    /// Gives the entries of an archive what an earlier process has recorded of them. `recorded` may be empty.
    pub(super) fn with_entries_of(self, recorded: &str) -> Self {
        match self.0 {
            SourceKind::Archive { plan, modified, mode } if !recorded.is_empty() => {
                Self(SourceKind::Archive { plan: Box::new(plan.as_recorded(recorded)), modified, mode })
            }
            kind => Self(kind),
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
            SourceKind::One { file, .. } => file.read_exact_at(buffer, offset),
            SourceKind::Archive { plan, .. } => plan.read_exact_at(buffer, offset),
        }
    }

    /// Returns the ranges of the content that may have changed, since metadata of their files has changed.
    ///
    /// Fails if the size of a file shows a change.
    pub fn doubtful_ranges(&self) -> Result<Vec<Range<u64>>, SourceError> {
        match &self.0 {
            SourceKind::One { file, size, snapshot } => {
                let metadata = file.metadata()?;
                match SourceChange::of_size(metadata.len(), *size, *snapshot) {
                    Some(change) => Err(change.in_file(None)),
                    None if file.fingerprint().is_of(&metadata) => Ok(Vec::new()),
                    None => Ok(iter::once(0..*size).collect()),
                }
            }
            SourceKind::Archive { plan, .. } => plan.doubtful_ranges(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Returns the list of ranges with the first bytes only.
    fn first(bytes: u64) -> Vec<Range<u64>> {
        iter::once(0..bytes).collect()
    }

    fn is_changed<T>(outcome: &Result<T, SourceError>, expected: SourceChange) -> bool {
        matches!(outcome, Err(SourceError::Changed { change, .. }) if *change == expected)
    }

    #[test]
    fn a_change_is_detected() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"content").unwrap();
        let source = UploadSource::open(file.path()).unwrap();
        let mut buffer = [0; 4];
        source.read_exact_at(&mut buffer, 3).unwrap();
        assert_eq!(&buffer, b"tent");
        assert_eq!(source.doubtful_ranges().unwrap(), []);
        assert!(is_changed(&source.read_exact_at(&mut buffer, 4), SourceChange::Shrunk));

        file.as_file().set_modified(SystemTime::now() + std::time::Duration::from_secs(2)).unwrap();
        assert_eq!(source.doubtful_ranges().unwrap(), first(7));
        file.write_all(b"!").unwrap();
        assert!(is_changed(&source.doubtful_ranges(), SourceChange::Grown));
        assert_eq!(UploadSource::open(file.path()).unwrap().snapshot().cut_to(7).size(), 7);
        file.as_file().set_len(3).unwrap();
        assert!(is_changed(&source.doubtful_ranges(), SourceChange::Shrunk));
    }

    #[test]
    fn a_snapshot_ignores_what_is_appended() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"content").unwrap();
        let source = UploadSource::open(file.path()).unwrap().snapshot();
        file.write_all(b" and more").unwrap();
        assert_eq!((source.size(), source.doubtful_ranges().unwrap()), (7, first(7)));
        file.as_file().set_len(3).unwrap();
        assert!(is_changed(&source.doubtful_ranges(), SourceChange::Shrunk));
    }

    #[cfg(unix)]
    #[test]
    fn a_change_is_detected_after_the_time_was_set_back() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"content").unwrap();
        file.as_file().set_modified(UNIX_EPOCH).unwrap();
        let source = UploadSource::open(file.path()).unwrap();
        // The clock of change times may have a resolution of only 10 ms.
        let changed = (0..1_000_000).any(|_| {
            std::fs::write(file.path(), b"CONTENT").unwrap();
            file.as_file().set_modified(UNIX_EPOCH).unwrap();
            !source.doubtful_ranges().unwrap().is_empty()
        });
        assert!(changed);
    }

    #[test]
    fn times_before_1970_are_negative() {
        let file = tempfile::tempfile().unwrap();
        file.set_modified(UNIX_EPOCH - std::time::Duration::from_millis(1500)).unwrap();
        assert_eq!(UploadSource::of(file).unwrap().modified_ms(), Some(-1500));
    }
}
