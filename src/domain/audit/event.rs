//! Event records: changes of a transfer, and events reported by clients.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client::ClientSummary;
use crate::domain::id::{LinkId, RecordId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Server event: the transfer was created.
    TransferCreated,
    /// Server event: the upload finished.
    TransferCompleted,
    /// Server event: a download was counted.
    DownloadGranted,
    /// Server event: the payload was removed from the store.
    PayloadRemoved,
    /// Server event: the transfer expired.
    TransferExpired,
    /// Server event: the download limit was reached.
    TransferExhausted,
    /// Server event: the transfer was deleted.
    TransferDeleted,
    /// Server event: a link was created.
    LinkCreated,
    /// Server event: expiry or limit of a link was changed.
    LinkUpdated,
    /// Server event: a link was closed by its sender.
    LinkRevoked,
    /// Server event: a link expired, and the transfer did not.
    LinkExpired,
    /// Server event: the download limit of a link was reached, and the transfer did not end.
    LinkExhausted,
    /// Server event: records were skipped; `skipped` contains their number.
    AuditTruncated,
    /// Client event: the link was opened.
    LinkOpened,
    /// Client event: the download started.
    DownloadStarted,
    /// Client event: the download finished.
    DownloadCompleted,
    /// Client event: the payload was decrypted.
    DecryptSucceeded,
    /// Client event: decryption failed.
    DecryptFailed,
}

/// Origin of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Observed by the service itself.
    Server,
    /// Reported by a client, and not verified.
    Client,
}

/// Numbers of skipped audit records, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// Successful reads.
    pub reads: u64,
    /// Rejected and failed requests.
    pub refusals: u64,
    /// Client events over the limit.
    pub events: u64,
}

impl Skipped {
    /// Returns whether no record was skipped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Record of one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Version of the record format.
    pub v: V1,
    /// Id of this record.
    pub id: RecordId,
    /// Id of the request that caused the event; absent for events caused by the passage of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RecordId>,
    /// Id of the further link that the event concerns; absent for the transfer and its own link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_id: Option<LinkId>,
    /// Time of the event.
    pub at: Timestamp,
    /// Kind of event.
    pub kind: EventKind,
    /// Origin of the event.
    pub source: Source,
    /// Client that reported the event, for client events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientSummary>,
    /// Numbers of skipped records, for [`EventKind::AuditTruncated`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
}

impl Event {
    /// Creates a server event.
    #[must_use]
    pub const fn server(id: RecordId, request_id: Option<RecordId>, at: Timestamp, kind: EventKind) -> Self {
        Self { v: V1, id, request_id, link_id: None, at, kind, source: Source::Server, client: None, skipped: None }
    }
}
