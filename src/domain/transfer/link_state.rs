//! State of a link.

use serde::{Deserialize, Serialize};

use super::Status;
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;

/// State of a link of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum LinkState {
    /// Recipients can use the link, once the upload is complete.
    #[default]
    Open,
    /// The link has expired.
    Expired {
        /// Time of expiry.
        at: Timestamp,
    },
    /// The download limit is reached.
    Exhausted {
        /// Time of the last counted download, or of the change of the limit.
        at: Timestamp,
    },
    /// The sender closed the link.
    Closed {
        /// Time of closing.
        at: Timestamp,
    },
}

impl LinkState {
    /// Returns whether recipients can use the link.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Returns the time of the link's end; `None` if it has not ended.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Open => None,
            Self::Expired { at } | Self::Exhausted { at } | Self::Closed { at } => Some(*at),
        }
    }

    /// Returns the error of a download under an ended link; `None` for an open link.
    pub(super) const fn error(&self) -> Option<Error> {
        match self {
            Self::Open => None,
            Self::Expired { .. } => Some(Error::TransferExpired),
            Self::Exhausted { .. } => Some(Error::TransferExhausted),
            Self::Closed { .. } => Some(Error::LinkClosed),
        }
    }

    /// Returns the status of an ended link; `None` for an open link.
    pub(super) const fn status(&self) -> Option<Status> {
        match self {
            Self::Open => None,
            Self::Expired { .. } => Some(Status::Expired),
            Self::Exhausted { .. } => Some(Status::Exhausted),
            Self::Closed { .. } => Some(Status::Closed),
        }
    }
}
