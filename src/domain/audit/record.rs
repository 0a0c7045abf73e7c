//! One record of the trail, whichever kind it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Action, Event, RequestRecord};
use crate::domain::id::RecordId;
use crate::domain::timestamp::Timestamp;

/// A record as it is stored and listed; `type` says which kind it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Record {
    /// What was asked.
    Request(RequestRecord),
    /// What that did.
    Action(Action),
    /// What happened.
    Event(Event),
}

/// The three kinds of record.
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
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Request, Self::Action, Self::Event];

    /// The folder of its records.
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
    /// The record's own id.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        match self {
            Self::Request(record) => record.id,
            Self::Action(record) => record.id,
            Self::Event(record) => record.id,
        }
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Request(_) => RecordKind::Request,
            Self::Action(_) => RecordKind::Action,
            Self::Event(_) => RecordKind::Event,
        }
    }

    /// When it was made.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Request(record) => record.at,
            Self::Action(record) => record.at,
            Self::Event(record) => record.at,
        }
    }

    /// The record without anything about who asked: what those see who did not send the transfer.
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
