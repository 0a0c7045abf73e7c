//! Audit records of all kinds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Action, ActionName, Event, Outcome, RequestRecord};
use crate::domain::id::{LinkId, RecordId};
use crate::domain::timestamp::Timestamp;

/// An audit record, as stored and listed; `type` contains its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Record {
    /// A request.
    Request(RequestRecord),
    /// The action of a request and its outcome.
    Action(Action),
    /// An event.
    Event(Event),
}

/// Kind of audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Stored under `requests/`.
    Request,
    /// Stored under `actions/`.
    Action,
    /// Stored under `events/`.
    Event,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Request, Self::Action, Self::Event];

    /// Returns the folder name for records of this kind.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Request => "requests",
            Self::Action => "actions",
            Self::Event => "events",
        }
    }
}

impl Record {
    /// Returns the id of the record.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        match self {
            Self::Request(record) => record.id,
            Self::Action(record) => record.id,
            Self::Event(record) => record.id,
        }
    }

    /// Returns the kind of the record.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Request(_) => RecordKind::Request,
            Self::Action(_) => RecordKind::Action,
            Self::Event(_) => RecordKind::Event,
        }
    }

    /// Returns the time of the request, of the action's end, or of the event.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Request(record) => record.at,
            Self::Action(record) => record.at,
            Self::Event(record) => record.at,
        }
    }

    /// Returns the id of the further link that the record concerns. `None` for the transfer and its own link.
    #[must_use]
    pub const fn link_id(&self) -> Option<LinkId> {
        match self {
            Self::Request(record) => record.link_id,
            Self::Action(record) => record.link_id,
            Self::Event(record) => record.link_id,
        }
    }

    /// Returns whether the lists of the public service show the record.
    ///
    /// An admin's reads are shown to nobody, other reads and rejected requests to the transfer's sender only.
    #[must_use]
    pub fn is_listed(&self, for_sender: bool) -> bool {
        match self {
            Self::Action(record) => {
                let is_change = !record.action.is_read() && record.outcome == Outcome::Done;
                record.action != ActionName::AuditRead && (for_sender || is_change)
            }
            Self::Request(_) | Self::Event(_) => true,
        }
    }

    /// Removes token id and client information, for readers other than the transfer's sender.
    #[must_use]
    pub fn without_client(mut self) -> Self {
        match &mut self {
            Self::Request(record) => {
                record.token_id = None;
                record.client =
                    super::ClientSummary { ip_mode: record.client.ip_mode, address: None, epoch: None, agent: None };
            }
            Self::Action(_) => {}
            Self::Event(record) => record.client = None,
        }
        self
    }
}
