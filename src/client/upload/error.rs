//! Errors of failed uploads.

use std::io;
use std::time::Duration;

use bytesize::ByteSize;

use super::{JournalError, SealError, SourceChange, SourceError};
use crate::client::{ClientError, MAX_LINKS, Origin, Signal};
use crate::domain::crypto::info::MAX_MESSAGE_CHARACTERS;
use crate::domain::id::TransferId;
use crate::domain::limits::MAX_DOWNLOADS;
use crate::domain::people::recipient_keys::WrapKeysError;

/// Failed upload.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A request failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The content exceeds the server's size limit.
    #[error("{}", too_large_text(name, *size, *limit))]
    TooLarge {
        /// The file's name.
        name: String,
        /// Content size in bytes; `None` if counting stopped at the limit.
        size: Option<u64>,
        /// The server's limit on the content size, in bytes.
        limit: u64,
    },
    /// The server does not allow this lifetime.
    #[error("this server allows lifetimes of {} to {}", duration_text(*min), duration_text(*max))]
    Lifetime {
        /// The shortest lifetime allowed.
        min: Duration,
        /// The longest lifetime allowed.
        max: Duration,
    },
    /// The download limit is out of range.
    #[error("the download limit must be 1 to {MAX_DOWNLOADS}, or none")]
    Downloads,
    /// The upload has more further links than a transfer can have.
    #[error("a transfer has at most {MAX_LINKS} further links")]
    TooManyLinks,
    /// The message is too long.
    #[error("the message has more than {MAX_MESSAGE_CHARACTERS} characters")]
    Message,
    /// The file does not fit the payload format.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The file cannot be read, or has changed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The segment tags could not be recorded, or differ from those recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The server reports more bytes than were sent.
    #[error("the server reports {received} received bytes, but only {sent} were sent")]
    TooManyBytes {
        /// Bytes that the server reports.
        received: u64,
        /// Bytes that may have been sent.
        sent: u64,
    },
    /// A proxy rejects even the smallest pieces (413).
    #[error("a proxy in front of {origin} refuses requests of {}", ByteSize(*piece_bytes))]
    PieceTooLarge {
        /// The server's origin.
        origin: Origin,
        /// Size of the refused request, in bytes.
        piece_bytes: u64,
    },
    /// The unfinished upload was started with another passphrase.
    #[error("the unfinished upload was started with another passphrase")]
    OtherPassphrase,
    /// The unfinished upload was started with another key of the sender.
    #[error("the unfinished upload was started with another key of the sender")]
    OtherSigner,
    /// The payload key cannot be wrapped for the recipients.
    #[error(transparent)]
    Recipients(#[from] WrapKeysError),
    /// The key of the sender, or its agent, did not sign.
    #[error("the transfer cannot be signed: {0}")]
    Sign(String),
    /// The server keeps reporting missing parts, although they were sent repeatedly.
    #[error(transparent)]
    PartsMissing(ClientError),
    /// A request failed after bytes may have arrived, and another process can resume the upload.
    #[error("{error}")]
    Unfinished {
        /// The failed request.
        #[source]
        error: Box<ClientError>,
        /// The unfinished transfer.
        id: TransferId,
    },
    /// A signal interrupted the upload.
    #[error("the upload was interrupted")]
    Interrupted {
        /// The signal.
        signal: Signal,
        /// State of the transfer after the interruption.
        state: InterruptedState,
    },
}

/// Reason why the state of an upload cannot be saved, so that no other process can resume the upload.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnsavedState {
    /// This user has no state directory.
    #[error("this user has no home directory to save its state in; set HOME or XDG_STATE_HOME")]
    NoDirectory,
    /// The state file cannot be created or written.
    #[error("its state cannot be saved: {0}")]
    Write(io::Error),
}

/// State of a transfer after its upload was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptedState {
    /// Another process can resume the upload of this transfer.
    Resumable(TransferId),
    /// The transfer was deleted.
    Deleted,
    /// The transfer may still exist; it then expires by itself.
    Unknown,
}

impl UploadError {
    /// Converts a resumable error into [`UploadError::Unfinished`] for the transfer `id`.
    #[must_use]
    pub fn or_unfinished(self, id: TransferId) -> Self {
        match self {
            Self::Client(error) if error.is_resumable() => Self::Unfinished { error: Box::new(error), id },
            other => other,
        }
    }

    /// Returns whether reading the file or signing failed, which may succeed later.
    pub(super) const fn is_local_error(&self) -> bool {
        matches!(self, Self::Source(SourceError::Read(_) | SourceError::ReadIn { .. }) | Self::Sign(_))
    }

    /// Returns whether the file has changed since the upload started.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        matches!(self, Self::Source(SourceError::Changed { .. }) | Self::Journal(JournalError::Changed))
    }

    /// Returns whether a file has only become longer since the upload started, as a log does.
    #[must_use]
    pub const fn is_grown(&self) -> bool {
        matches!(self, Self::Source(SourceError::Changed { change: SourceChange::Grown, .. }))
    }
}

/// Formats the size and the limit in units that show their difference.
fn too_large_text(name: &str, size: Option<u64>, limit: u64) -> String {
    let rounded = |bytes: u64| ByteSize(bytes).to_string();
    match size {
        None => format!("{name} is larger than {}, the server's limit", rounded(limit)),
        Some(size) if rounded(size) == rounded(limit) => {
            format!("{name} has {size} bytes, and the server's limit is {limit} bytes")
        }
        Some(size) => format!("{name} has {}, and the server's limit is {}", rounded(size), rounded(limit)),
    }
}

/// Formats a duration in its largest whole unit.
fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}
