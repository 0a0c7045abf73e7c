//! Outputs for decrypted content: a file, a directory or a stream.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use super::directory::{self, UnpackFailure};
use super::part_file::{PartFile, part_path};
use crate::client::unpack::{UnpackError, UnpackedFile, Watch};

/// Output for decrypted content.
pub enum Output {
    /// File, which gets its name once the whole content is authenticated.
    File(Target),
    /// New directory for an archive, which gets its name once all entries are unpacked.
    Directory(Target),
    /// Stream, which receives each segment once it is authenticated.
    Stream(Box<dyn Write + Send>),
}

/// File or directory to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Path of the file or directory.
    pub path: PathBuf,
    /// Action if the path exists.
    pub conflict: Conflict,
    /// Identifier in the name of the part file in the same directory: `.sgsend-{mark}.part`.
    pub mark: String,
}

/// Action if the target path exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflict {
    /// Fail without a change.
    #[default]
    Fail,
    /// Replace the file.
    Overwrite,
    /// Use another name.
    Rename,
}

/// Reason why the output cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The target exists.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// Another process is writing the same part file.
    #[error("another process is writing {}", .0.display())]
    Busy(PathBuf),
    /// The file or directory cannot be created.
    #[error("{} cannot be written", path.display())]
    Create {
        /// Path of the file or directory.
        path: PathBuf,
        /// Cause of the failure.
        #[source]
        source: io::Error,
    },
    /// The target directory exists; an archive is never unpacked over existing files.
    #[error("{} already exists, and archives are unpacked into new directories only", .0.display())]
    DirectoryExists(PathBuf),
    /// The archive cannot be unpacked.
    #[error(transparent)]
    Unpack(Box<UnpackFailure>),
    /// Writing the content failed.
    #[error("the content cannot be written")]
    Write(#[source] io::Error),
    /// The disk did not take the content of a file.
    #[error("the content cannot be written to {}", directory.display())]
    Disk {
        /// Directory of the file.
        directory: PathBuf,
        /// Cause of the failure.
        #[source]
        source: io::Error,
        /// Missing space in bytes, if the disk is full and its free space can be told.
        missing: Option<u64>,
        /// Whether the content so far is kept, so that another process can resume.
        is_kept: bool,
    },
    /// A signal has interrupted the caller's choice of the output.
    #[error("the download was interrupted")]
    Interrupted,
    /// The content is larger than the caller accepts.
    #[error("the content has {size} bytes, more than the limit of {limit} bytes")]
    TooLarge {
        /// Content size in bytes.
        size: u64,
        /// Limit in bytes.
        limit: u64,
    },
    /// The caller has rejected the output.
    #[error("{0}")]
    Rejected(String),
}

impl Output {
    /// Returns the path of the part file; `None` for a stream.
    pub(super) fn part_path(&self) -> Option<PathBuf> {
        match self {
            Self::File(target) | Self::Directory(target) => Some(part_path(target)),
            Self::Stream(_) => None,
        }
    }
}

impl Target {
    /// Converts the target to one for a directory; fails if the path exists and must not be renamed.
    fn of_directory(self) -> Result<Self, OutputError> {
        if self.conflict != Conflict::Rename && self.path.symlink_metadata().is_ok() {
            return Err(OutputError::DirectoryExists(self.path));
        }
        Ok(Self { conflict: self.conflict.of_directory(), ..self })
    }
}

impl OutputError {
    /// Returns whether unpacking was cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Unpack(failed) if matches!(failed.error, UnpackError::Stopped))
    }
}

impl Conflict {
    /// Returns the action for a directory, which is never replaced.
    const fn of_directory(self) -> Self {
        match self {
            Self::Rename => Self::Rename,
            Self::Fail | Self::Overwrite => Self::Fail,
        }
    }
}

/// Attributes that the sender gave to a file or directory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes {
    pub modified: Option<SystemTime>,
    /// Unix permissions of a directory, or of an executable file.
    pub mode: Option<u32>,
}

/// Completed output.
pub(super) struct FinishedOutput {
    pub path: Option<PathBuf>,
    pub unpacked: Option<Vec<UnpackedFile>>,
}

/// Open output.
pub(super) enum Sink {
    File(PartFile),
    Directory(PartFile, Target),
    Stream(Box<dyn Write + Send>),
}

impl Sink {
    pub(super) fn open(output: Output) -> Result<Self, OutputError> {
        Ok(match output {
            Output::File(target) => Self::File(PartFile::create(target)?),
            Output::Directory(target) => {
                let target = target.of_directory()?;
                Self::Directory(PartFile::create(target.clone())?, target)
            }
            Output::Stream(stream) => Self::Stream(stream),
        })
    }

    /// Resumes `output` after the first `length` bytes of `file`, left unfinished by an earlier process.
    pub(super) fn resume(output: Output, file: File, length: u64) -> Result<Self, OutputError> {
        let part = |target| PartFile::resume(target, file)?.truncated(length).map_err(OutputError::Write);
        Ok(match output {
            Output::File(target) => Self::File(part(target)?),
            Output::Directory(target) => {
                let target = target.of_directory()?;
                Self::Directory(part(target.clone())?, target)
            }
            Output::Stream(stream) => Self::Stream(stream),
        })
    }

    /// Returns the part file; `None` for a stream.
    pub(super) fn part(&self) -> Option<&PartFile> {
        match self {
            Self::File(part) | Self::Directory(part, _) => Some(part),
            Self::Stream(_) => None,
        }
    }

    /// Truncates the part file to `length` bytes, best effort.
    pub(super) fn shorten(&mut self, length: u64) {
        if let Self::File(part) | Self::Directory(part, _) = self {
            // A failure leaves an incomplete segment, which is downloaded again.
            let _ = part.file().set_len(length);
        }
    }

    /// Returns the directory of the part file; `None` for a stream.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        let parent = self.part()?.path().parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(parent.unwrap_or(std::path::Path::new(".")).to_owned())
    }

    /// Sets the attributes of a file, and waits until its content is on the disk.
    pub(super) fn complete(&self, attributes: Attributes, watch: &Watch) -> io::Result<()> {
        match self {
            Self::File(part) => part.complete(attributes, watch),
            // An archive is removed once it is unpacked.
            Self::Directory(..) | Self::Stream(_) => Ok(()),
        }
    }

    /// Keeps the part file, so that another process can resume.
    pub(super) fn keep_for_resume(self) {
        match self {
            Self::File(part) | Self::Directory(part, _) => part.keep_for_resume(),
            Self::Stream(_) => {}
        }
    }

    /// Publishes the completed output; returns the path of a file or directory, and the unpacked files.
    pub(super) fn finish(self, attributes: Attributes, watch: &Watch) -> Result<FinishedOutput, OutputError> {
        match self {
            Self::File(part) => Ok(FinishedOutput { path: Some(part.publish()?), unpacked: None }),
            Self::Directory(part, target) => {
                let (path, files) = directory::finish(part, &target, attributes, watch)?;
                Ok(FinishedOutput { path: Some(path), unpacked: Some(files) })
            }
            Self::Stream(mut stream) => {
                stream.flush().map_err(OutputError::Write)?;
                Ok(FinishedOutput { path: None, unpacked: None })
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(part) | Self::Directory(part, _) => part.file().write(bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(part) | Self::Directory(part, _) => part.file().flush(),
            Self::Stream(stream) => stream.flush(),
        }
    }
}
