//! Where plaintext goes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use super::part::PartFile;

/// Where plaintext is to go.
pub enum Output {
    /// Into a file, which exists once its last byte is authentic.
    File(Target),
    /// Into a stream, segment by authentic segment.
    Stream(Box<dyn Write + Send>),
}

/// A file to be made.
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
    /// The plaintext cannot be written.
    #[error("the content cannot be written")]
    Write(#[source] io::Error),
    /// The caller will not have it written.
    #[error("{0}")]
    Refused(String),
}

/// An output that is open.
pub(super) enum Sink {
    File(PartFile),
    Stream(Box<dyn Write + Send>),
}

impl Sink {
    pub(super) fn open(output: Output) -> Result<Self, OutputError> {
        Ok(match output {
            Output::File(target) => Self::File(PartFile::create(target)?),
            Output::Stream(stream) => Self::Stream(stream),
        })
    }

    /// Ends the output; where it is a file, says which.
    pub(super) fn finish(self, modified: Option<SystemTime>) -> Result<Option<PathBuf>, OutputError> {
        match self {
            Self::File(part) => part.finish(modified).map(Some),
            Self::Stream(mut stream) => stream.flush().map(|()| None).map_err(OutputError::Write),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(part) => part.file().write(bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(part) => part.file().flush(),
            Self::Stream(stream) => stream.flush(),
        }
    }
}
