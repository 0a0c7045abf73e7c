//! Where plaintext goes.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use super::directory::{self, NotUnpacked};
use super::part::{PartFile, part_path};
use crate::client::unpack::{UnpackError, UnpackedFile, Watch};

/// Where plaintext is to go.
pub enum Output {
    /// Into a file, which exists once its last byte is authentic.
    File(Target),
    /// An archive: into a new directory, which exists once everything is unpacked into it.
    Directory(Target),
    /// Into a stream, segment by authentic segment.
    Stream(Box<dyn Write + Send>),
}

/// A file or directory to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub path: PathBuf,
    /// What to do where something is there already.
    pub conflict: Conflict,
    /// Names the unfinished file beside it: `.sgsend-{mark}.part`.
    pub mark: String,
}

/// What to do about a file that is already there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflict {
    /// Leave it alone and fail.
    #[default]
    Refuse,
    /// Replace it.
    Overwrite,
    /// Leave it alone and take another name.
    Rename,
}

/// Plaintext that cannot be put where it should go.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Something is there already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Another process writes the same unfinished file.
    #[error("another process is writing {}", .0.display())]
    Busy(PathBuf),
    /// The file cannot be made.
    #[error("{} cannot be written", path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is there already, and an archive replaces and joins nothing.
    #[error("{} exists already, and an archive is unpacked into a new directory only", .0.display())]
    NotNew(PathBuf),
    /// The archive cannot be unpacked.
    #[error(transparent)]
    Unpack(Box<NotUnpacked>),
    /// The plaintext cannot be written.
    #[error("the content cannot be written")]
    Write(#[source] io::Error),
    /// The caller will not have it written.
    #[error("{0}")]
    Refused(String),
}

impl Output {
    /// Where its unfinished file is.
    pub(super) fn part_path(&self) -> Option<PathBuf> {
        match self {
            Self::File(target) | Self::Directory(target) => Some(part_path(target)),
            Self::Stream(_) => None,
        }
    }
}

impl Target {
    /// The same as a directory, which is a new one.
    fn of_directory(self) -> Result<Self, OutputError> {
        if self.conflict != Conflict::Rename && self.path.symlink_metadata().is_ok() {
            return Err(OutputError::NotNew(self.path));
        }
        Ok(Self { conflict: self.conflict.of_directory(), ..self })
    }
}

impl OutputError {
    /// Whether somebody has stopped it, and nothing is wrong.
    pub(super) fn is_stop(&self) -> bool {
        matches!(self, Self::Unpack(failed) if matches!(failed.error, UnpackError::Stopped))
    }
}

impl Conflict {
    /// The same about a directory, which is never replaced.
    const fn of_directory(self) -> Self {
        match self {
            Self::Rename => Self::Rename,
            Self::Refuse | Self::Overwrite => Self::Refuse,
        }
    }
}

/// What became of an output.
pub(super) struct Finished {
    pub path: Option<PathBuf>,
    pub unpacked: Option<Vec<UnpackedFile>>,
}

/// An output that is open.
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

    /// Goes on with the first `length` bytes of the `file` that another process has left of `output`. A stream is none.
    pub(super) fn resume(output: Output, file: File, length: u64) -> Result<Self, OutputError> {
        let part = |target| PartFile::resume(target, file)?.behind(length).map_err(OutputError::Write);
        Ok(match output {
            Output::File(target) => Self::File(part(target)?),
            Output::Directory(target) => {
                let target = target.of_directory()?;
                Self::Directory(part(target.clone())?, target)
            }
            Output::Stream(stream) => Self::Stream(stream),
        })
    }

    /// The unfinished file, where there is one.
    pub(super) fn part(&self) -> Option<&PartFile> {
        match self {
            Self::File(part) | Self::Directory(part, _) => Some(part),
            Self::Stream(_) => None,
        }
    }

    /// Leaves the unfinished file to another process.
    pub(super) fn leave(self) {
        match self {
            Self::File(part) | Self::Directory(part, _) => part.leave(),
            Self::Stream(_) => {}
        }
    }

    /// Ends the output; where it is a file or a directory, says which, and what was unpacked.
    pub(super) fn finish(self, modified: Option<SystemTime>, watch: &Watch) -> Result<Finished, OutputError> {
        match self {
            Self::File(part) => Ok(Finished { path: Some(part.finish(modified)?), unpacked: None }),
            Self::Directory(part, target) => {
                let (path, files) = directory::finish(part, &target, modified, watch)?;
                Ok(Finished { path: Some(path), unpacked: Some(files) })
            }
            Self::Stream(mut stream) => {
                stream.flush().map_err(OutputError::Write)?;
                Ok(Finished { path: None, unpacked: None })
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
