//! `POST …/events/add`

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::audit::EventKind;
use crate::domain::id::EventId;
use crate::domain::timestamp::Timestamp;

/// What a client may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientEventKind {
    /// The link was opened.
    LinkOpened,
    /// It began to fetch the payload.
    DownloadStarted,
    /// It has every byte.
    DownloadCompleted,
    /// The payload could be decrypted.
    DecryptSucceeded,
    /// The payload could not be decrypted.
    DecryptFailed,
}

impl From<ClientEventKind> for EventKind {
    fn from(kind: ClientEventKind) -> Self {
        match kind {
            ClientEventKind::LinkOpened => Self::LinkOpened,
            ClientEventKind::DownloadStarted => Self::DownloadStarted,
            ClientEventKind::DownloadCompleted => Self::DownloadCompleted,
            ClientEventKind::DecryptSucceeded => Self::DecryptSucceeded,
            ClientEventKind::DecryptFailed => Self::DecryptFailed,
        }
    }
}

/// An event to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddEvent {
    /// What happened.
    pub kind: ClientEventKind,
}

/// An event that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventAdded {
    /// Its id.
    pub id: EventId,
    /// When it was added.
    pub at: Timestamp,
}
