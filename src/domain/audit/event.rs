//! What happened to a transfer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client::ClientSummary;
use crate::domain::id::RecordId;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The server: the transfer was created.
    TransferCreated,
    /// The server: every byte has arrived.
    TransferCompleted,
    /// The server: a download was counted.
    DownloadGranted,
    /// The server: the payload is gone from the store.
    PayloadRemoved,
    /// The server: the transfer's time was over.
    TransferExpired,
    /// The server: the last download was counted.
    TransferExhausted,
    /// The server: the transfer was deleted.
    TransferDeleted,
    /// The server: records were left out, see `skipped`.
    AuditTruncated,
    /// A client's claim: the link was opened.
    LinkOpened,
    /// A client's claim: it began to fetch the payload.
    DownloadStarted,
    /// A client's claim: it has every byte.
    DownloadCompleted,
    /// A client's claim: the payload could be decrypted.
    DecryptSucceeded,
    /// A client's claim: the payload could not be decrypted.
    DecryptFailed,
}

/// Who says that it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The service itself.
    Server,
    /// Whoever sent it: a claim.
    Client,
}

/// How many records were left out, by what they were about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// Plain reads.
    pub reads: u64,
    /// Refused and failed requests.
    pub refusals: u64,
    /// Events of clients beyond their limit.
    pub events: u64,
}

impl Skipped {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The version of this form.
    pub v: V1,
    /// The record's own id.
    pub id: RecordId,
    /// The request that brought it about; none where time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RecordId>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// Who says so.
    pub source: Source,
    /// Who sent it, for claims of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientSummary>,
    /// What was left out, for [`EventKind::AuditTruncated`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
}

impl Event {
    /// Something that the server itself noticed at `at`.
    #[must_use]
    pub const fn of_server(id: RecordId, request_id: Option<RecordId>, at: Timestamp, kind: EventKind) -> Self {
        Self { v: V1, id, request_id, at, kind, source: Source::Server, client: None, skipped: None }
    }
}
