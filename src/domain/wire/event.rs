//! Bodies of `POST …/events/add`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::audit::EventKind;
use crate::domain::id::EventId;
use crate::domain::timestamp::Timestamp;

/// Kind of event that a client can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientEventKind {
    /// The link was opened.
    LinkOpened,
    /// The download started.
    DownloadStarted,
    /// The download finished.
    DownloadCompleted,
    /// The payload was decrypted.
    DecryptSucceeded,
    /// Decryption failed.
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
    /// Kind of event.
    pub kind: ClientEventKind,
}

/// An added event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventAdded {
    /// Id of the event.
    pub id: EventId,
    /// Time at which the event was added.
    pub at: Timestamp,
}
