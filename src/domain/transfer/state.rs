//! Where a transfer can stand.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::timestamp::Timestamp;

/// A transfer's status, as the wire and the counters name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its payload is still arriving.
    Pending,
    /// Its payload can be fetched.
    Completed,
    /// Its time is over.
    Expired,
    /// Its downloads are used; those that have a grant may still fetch it.
    Exhausted,
    /// It was deleted.
    Deleted,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Completed, Self::Expired, Self::Exhausted, Self::Deleted];

    /// The status as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Deleted => "deleted",
        }
    }
}

/// Where a transfer stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum State {
    /// Created; bytes may arrive.
    Pending,
    /// Every byte is there.
    Completed {
        /// Since when.
        at: Timestamp,
    },
    /// Its time was over.
    Expired {
        /// When that was.
        at: Timestamp,
        /// When every byte was there, if ever.
        completed_at: Option<Timestamp>,
    },
    /// The last download was counted.
    Exhausted {
        /// When that was.
        at: Timestamp,
        /// When every byte was there.
        completed_at: Timestamp,
    },
    /// It was deleted, or ended by a payload of another size.
    Deleted {
        /// When that was.
        at: Timestamp,
        /// When every byte was there, if ever.
        completed_at: Option<Timestamp>,
        /// Why: by its sender or the admin, or for a payload of another size.
        cause: DeletionCause,
    },
}

/// Why a transfer was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionCause {
    /// Somebody asked for it.
    Asked,
    /// The stored object had another size than declared.
    SizeMismatch,
}

impl State {
    /// The status of this state.
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

    /// When every byte was there, if ever.
    #[must_use]
    pub const fn completed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending => None,
            Self::Completed { at } => Some(*at),
            Self::Exhausted { completed_at, .. } => Some(*completed_at),
            Self::Expired { completed_at, .. } | Self::Deleted { completed_at, .. } => *completed_at,
        }
    }

    /// When the transfer ended, if it has.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending | Self::Completed { .. } => None,
            Self::Expired { at, .. } | Self::Exhausted { at, .. } | Self::Deleted { at, .. } => Some(*at),
        }
    }
}

/// What became of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayloadFate {
    /// It is there, or arriving.
    #[default]
    Kept,
    /// Nobody may have it any more; it is being removed.
    Released,
    /// It is gone.
    Removed,
}

/// How a transfer's bytes arrive: fixed by the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UploadKind {
    /// Through this service.
    Bytes,
    /// To the payload store, in one request.
    Single,
    /// To the payload store, in parts.
    Multipart,
}
