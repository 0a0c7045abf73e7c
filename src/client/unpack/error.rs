//! Archives that were not unpacked.

use std::io;

/// An archive that was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// An entry would do harm, or more than an archive of ours does.
    #[error("the archive is unsafe: {entry} {why}")]
    Refused {
        /// Its path.
        entry: String,
        /// What is wrong with it.
        why: String,
    },
    /// There are too many entries.
    #[error("the archive is unsafe: it has more than {limit} entries")]
    TooMany {
        /// How many may be.
        limit: usize,
    },
    /// It is not a sound tar.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// It cannot be read.
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// A file cannot be written.
    #[error("{entry} cannot be unpacked")]
    Write {
        /// Its path within the archive.
        entry: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It was told to stop.
    #[error("unpacking was interrupted")]
    Stopped,
}

impl UnpackError {
    /// Whether the archive is at fault, and not this machine.
    #[must_use]
    pub const fn is_unsafe(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::TooMany { .. } | Self::Damaged(_))
    }

    pub(super) fn refused(entry: &[u8], why: &dyn std::fmt::Display) -> Self {
        const SHOWN: usize = 500;
        let shown = &entry[..entry.len().min(SHOWN)];
        let entry = if shown.is_empty() { "an entry".to_owned() } else { String::from_utf8_lossy(shown).into_owned() };
        Self::Refused { entry, why: why.to_string() }
    }
}
