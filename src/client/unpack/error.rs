//! Errors of unpacking an archive.

use std::io;

/// Reason why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// An entry is unsafe, or of a kind that `sgsend` does not pack.
    #[error("the archive is unsafe: {entry} {reason}")]
    Unsafe {
        /// Path of the entry.
        entry: String,
        /// Reason for the rejection.
        reason: String,
    },
    /// The archive has too many entries.
    #[error("the archive is unsafe: it has more than {limit} entries")]
    TooMany {
        /// Maximum number of entries.
        limit: usize,
    },
    /// The archive is not a valid tar.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// Reading the archive failed.
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// Writing an entry failed.
    #[error("{entry} cannot be unpacked")]
    Write {
        /// Path of the entry within the archive.
        entry: String,
        /// Cause of the failure.
        #[source]
        source: io::Error,
    },
    /// Unpacking was cancelled.
    #[error("unpacking was interrupted")]
    Stopped,
}

impl UnpackError {
    /// Returns whether the archive caused the error, rather than this machine.
    #[must_use]
    pub const fn is_unsafe(&self) -> bool {
        matches!(self, Self::Unsafe { .. } | Self::TooMany { .. } | Self::Damaged(_))
    }

    pub(super) fn rejected(entry: &[u8], reason: &dyn std::fmt::Display) -> Self {
        const MAX_SHOWN: usize = 500;
        let excerpt = &entry[..entry.len().min(MAX_SHOWN)];
        let entry =
            if excerpt.is_empty() { "an entry".to_owned() } else { String::from_utf8_lossy(excerpt).into_owned() };
        Self::Unsafe { entry, reason: reason.to_string() }
    }
}
