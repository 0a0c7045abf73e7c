//! States of a transfer and its payload.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::timestamp::Timestamp;

/// Status of a transfer or of one of its links, as named in the API and the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The upload is not finished.
    Pending,
    /// The payload is ready to download.
    Completed,
    /// The transfer has expired.
    Expired,
    /// The download limit is reached; clients with a valid grant may still finish their downloads.
    Exhausted,
    /// The transfer was deleted.
    Deleted,
    /// The sender closed the link; only links have this status.
    Closed,
}

impl Status {
    /// All statuses of a transfer.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Completed, Self::Expired, Self::Exhausted, Self::Deleted];

    /// Returns whether recipients can use a link with this status, now or once the upload is complete.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Pending | Self::Completed)
    }

    /// Returns the status as used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Deleted => "deleted",
            Self::Closed => "closed",
        }
    }
}

/// State of a transfer, with the times of its transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum State {
    /// Created; the upload is open.
    Pending,
    /// The upload is complete.
    Completed {
        /// Time of completion.
        at: Timestamp,
    },
    /// The transfer has expired.
    Expired {
        /// Time of expiry.
        at: Timestamp,
        /// Time of completion; `None` if the upload was never completed.
        completed_at: Option<Timestamp>,
    },
    /// The download limit is reached.
    Exhausted {
        /// Time of the last counted download.
        at: Timestamp,
        /// Time of completion.
        completed_at: Timestamp,
    },
    /// Deleted on request, or because the payload has a wrong size or is lost.
    Deleted {
        /// Time of deletion.
        at: Timestamp,
        /// Time of completion; `None` if the upload was never completed.
        completed_at: Option<Timestamp>,
        /// Reason for the deletion.
        cause: DeletionCause,
    },
}

/// Reason for deleting a transfer. The aliases are the words of the first stores of layout 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionCause {
    /// A request of the sender or an admin.
    #[serde(alias = "asked")]
    Requested,
    /// The size of the stored payload differs from the declared size.
    SizeMismatch,
    /// A repair of the store found no complete payload.
    PayloadLost,
    /// The sender closed the last link.
    LinksClosed,
}

impl State {
    /// Returns the status of this state.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Completed { .. } => Status::Completed,
            Self::Expired { .. } => Status::Expired,
            Self::Exhausted { .. } => Status::Exhausted,
            Self::Deleted { .. } => Status::Deleted,
        }
    }

    /// Returns whether the transfer was deleted as a whole, which ends all its links.
    #[must_use]
    pub const fn is_deletion(&self) -> bool {
        !matches!(self, Self::Deleted { cause: DeletionCause::LinksClosed, .. }) && matches!(self, Self::Deleted { .. })
    }

    /// Returns the time of completion; `None` if the upload was never completed.
    #[must_use]
    pub const fn completed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending => None,
            Self::Completed { at } => Some(*at),
            Self::Exhausted { completed_at, .. } => Some(*completed_at),
            Self::Expired { completed_at, .. } | Self::Deleted { completed_at, .. } => *completed_at,
        }
    }

    /// Returns the time of the transfer's end; `None` if the transfer has not ended.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending | Self::Completed { .. } => None,
            Self::Expired { at, .. } | Self::Exhausted { at, .. } | Self::Deleted { at, .. } => Some(*at),
        }
    }
}

/// Storage state of a payload. The aliases are the words of the first stores of layout 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadState {
    /// Stored, or being uploaded.
    #[default]
    #[serde(alias = "kept")]
    Stored,
    /// No longer downloadable; its removal is pending.
    #[serde(alias = "released")]
    PendingRemoval,
    /// Removed.
    Removed,
}

/// Upload method of a transfer; fixed once the first byte arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UploadKind {
    /// Through this service.
    Bytes,
    /// Directly to the payload store, in a single request.
    Single,
    /// Directly to the payload store, in parts.
    Multipart,
}
