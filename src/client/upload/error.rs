//! Uploads that came to nothing.

use std::time::Duration;

use bytesize::ByteSize;

use super::{LedgerError, SourceError, Unsealable};
use crate::client::{ClientError, Signal};
use crate::domain::id::TransferId;
use crate::domain::limits::MAX_DOWNLOADS;

/// An upload that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server takes no content of this size.
    #[error("{}", too_large(name, *size, *limit))]
    TooLarge {
        /// What it is called.
        name: String,
        /// Bytes of content, where they were counted to the end.
        size: Option<u64>,
        /// The server's limit, in bytes.
        limit: u64,
    },
    /// The server takes no transfers of this lifetime.
    #[error("this server keeps transfers for {} to {}", in_words(*min), in_words(*max))]
    Lifetime {
        /// The shortest it takes.
        min: Duration,
        /// The longest it takes.
        max: Duration,
    },
    /// No transfer allows that many downloads.
    #[error("a transfer allows 1 to {MAX_DOWNLOADS} downloads, or any number")]
    Downloads,
    /// The file cannot be put into a payload.
    #[error(transparent)]
    Unsealable(#[from] Unsealable),
    /// The file cannot be read as it was.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The tags could not be recorded, or differ.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The server says that it has more than there is.
    #[error("the server says that it has {received} bytes, and {sent} were sent")]
    TooManyBytes {
        /// What it says.
        received: u64,
        /// What may have been sent.
        sent: u64,
    },
    /// The upload needs a state, and there is no directory for it.
    #[error("there is no home directory to keep the state of a large upload in")]
    NoStateDirectory,
    /// The unfinished upload was begun with another passphrase.
    #[error("the unfinished upload was begun with another passphrase")]
    OtherPassphrase,
    /// The unfinished transfer is gone, and its passphrase was not given again, which a new one takes.
    #[error("the unfinished transfer is gone")]
    PassphraseNeeded,
    /// The server takes everything and still lacks some of it, again and again.
    #[error(transparent)]
    GivenUp(ClientError),
    /// A call failed after bytes may have arrived, and another process can go on.
    #[error("{error}")]
    Unfinished {
        /// What failed.
        #[source]
        error: Box<ClientError>,
        /// Which transfer is not finished.
        id: TransferId,
    },
    /// The process was asked to end.
    #[error("the upload was interrupted")]
    Interrupted {
        /// How.
        signal: Signal,
        /// What has become of the transfer.
        left: Left,
    },
}

/// What is left of an upload that was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Everything that another process needs to go on with this transfer.
    Resumable(TransferId),
    /// Nothing: the transfer was deleted.
    Nothing,
    /// Perhaps a transfer that goes by itself.
    Perhaps,
}

impl UploadError {
    /// What it means where this transfer is unfinished, and another process can go on with it.
    #[must_use]
    pub fn or_unfinished(self, id: TransferId) -> Self {
        match self {
            Self::Client(error) if error.is_worth_resuming() => Self::Unfinished { error: Box::new(error), id },
            other => other,
        }
    }

    /// Whether the file could not be read: another time it may be.
    pub(super) const fn is_unread(&self) -> bool {
        matches!(self, Self::Source(SourceError::Read(_) | SourceError::ReadIn { .. }))
    }

    /// Whether the file is no longer what it was.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        matches!(
            self,
            Self::Source(SourceError::Changed | SourceError::ChangedIn { .. }) | Self::Ledger(LedgerError::Changed)
        )
    }
}

/// What is too large, in units that tell it from the limit.
fn too_large(name: &str, size: Option<u64>, limit: u64) -> String {
    let rounded = |bytes: u64| ByteSize(bytes).to_string();
    match size {
        None => format!("{name} has more than {}, which is what the server takes at most", rounded(limit)),
        Some(size) if rounded(size) == rounded(limit) => {
            format!("{name} has {size} bytes, and the server takes at most {limit}")
        }
        Some(size) => format!("{name} has {}, and the server takes at most {}", rounded(size), rounded(limit)),
    }
}

/// A duration in its largest whole unit, as people write it.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}
