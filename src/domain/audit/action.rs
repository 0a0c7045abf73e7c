//! Action records: the operation of a request and its outcome.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::error::ErrorCode;
use crate::domain::id::{LinkId, RecordId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Attempted operation, as `noun.verb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum ActionName {
    /// Create a transfer.
    #[serde(rename = "transfer.create")]
    TransferCreate,
    /// Read a transfer's state.
    #[serde(rename = "transfer.status")]
    TransferStatus,
    /// Delete a transfer.
    #[serde(rename = "transfer.delete")]
    TransferDelete,
    /// List transfers.
    #[serde(rename = "transfer.list")]
    TransferList,
    /// Delete several transfers. Each of them has a record of its own, of [`ActionName::TransferDelete`].
    #[serde(rename = "transfer.delete_many")]
    TransferDeleteMany,
    /// Change expiry or limit of a transfer's own link.
    #[serde(rename = "transfer.update")]
    TransferUpdate,
    /// Create a further link.
    #[serde(rename = "link.create")]
    LinkCreate,
    /// List the links of a transfer.
    #[serde(rename = "link.list")]
    LinkList,
    /// Change expiry or limit of a link.
    #[serde(rename = "link.update")]
    LinkUpdate,
    /// Close a link.
    #[serde(rename = "link.revoke")]
    LinkRevoke,
    /// Upload payload bytes to this service.
    #[serde(rename = "payload.upload")]
    PayloadUpload,
    /// Download payload bytes, or only their headers, from this service.
    #[serde(rename = "payload.download")]
    PayloadDownload,
    /// Read the progress of an upload.
    #[serde(rename = "upload.status")]
    UploadStatus,
    /// Create presigned upload URLs.
    #[serde(rename = "upload.presign")]
    UploadPresign,
    /// Complete an upload.
    #[serde(rename = "upload.complete")]
    UploadComplete,
    /// Read the keys for recipients.
    #[serde(rename = "keys.read")]
    KeysRead,
    /// Request a download grant.
    #[serde(rename = "download.grant")]
    DownloadGrant,
    /// Add a client event.
    #[serde(rename = "event.add")]
    EventAdd,
    /// Stream notifications about the sender's transfers.
    #[serde(rename = "event.stream")]
    EventStream,
    /// List events.
    #[serde(rename = "event.list")]
    EventList,
    /// List actions.
    #[serde(rename = "action.list")]
    ActionList,
    /// Create a request: a limited token for guests.
    #[serde(rename = "request.create")]
    RequestCreate,
    /// List the requests of the token.
    #[serde(rename = "request.list")]
    RequestList,
    /// Revoke a request.
    #[serde(rename = "request.revoke")]
    RequestRevoke,
    /// Create a token.
    #[serde(rename = "token.create")]
    TokenCreate,
    /// Read the status and quota of the request's own token.
    #[serde(rename = "token.status")]
    TokenStatus,
    /// List tokens.
    #[serde(rename = "token.list")]
    TokenList,
    /// Change the name, expiry, quota or notifications of a token.
    #[serde(rename = "token.update")]
    TokenUpdate,
    /// Revoke a token.
    #[serde(rename = "token.revoke")]
    TokenRevoke,
    /// Read statistics.
    #[serde(rename = "stats.read")]
    StatsRead,
    /// Read a transfer's audit records.
    #[serde(rename = "audit.read")]
    AuditRead,
    /// Create an admin session.
    #[serde(rename = "session.create")]
    SessionCreate,
    /// End an admin session.
    #[serde(rename = "session.end")]
    SessionEnd,
    /// Repair an object of the store, with `sgsend store check --repair`.
    #[serde(rename = "store.repair")]
    StoreRepair,
    /// A request that matches no route.
    #[serde(rename = "route.none")]
    RouteNone,
}

impl ActionName {
    /// Returns whether the action only reads.
    #[must_use]
    pub const fn is_read(self) -> bool {
        match self {
            Self::TransferStatus
            | Self::TransferList
            | Self::LinkList
            | Self::UploadStatus
            | Self::KeysRead
            | Self::EventList
            | Self::EventStream
            | Self::ActionList
            | Self::RequestList
            | Self::TokenStatus
            | Self::TokenList
            | Self::StatsRead
            | Self::AuditRead => true,
            Self::TransferCreate
            | Self::TransferDelete
            | Self::TransferDeleteMany
            | Self::TransferUpdate
            | Self::LinkCreate
            | Self::LinkUpdate
            | Self::LinkRevoke
            | Self::PayloadUpload
            | Self::PayloadDownload
            | Self::UploadPresign
            | Self::UploadComplete
            | Self::DownloadGrant
            | Self::EventAdd
            | Self::RequestCreate
            | Self::RequestRevoke
            | Self::TokenCreate
            | Self::TokenUpdate
            | Self::TokenRevoke
            | Self::SessionCreate
            | Self::SessionEnd
            | Self::StoreRepair
            | Self::RouteNone => false,
        }
    }
}

/// Outcome of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The action succeeded.
    Done,
    /// The server rejected the request because of what the client sent, or of a limit.
    Refused,
    /// The server failed to carry out the action.
    Failed,
}

/// Record of the action of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    /// Version of the record format.
    pub v: V1,
    /// Id of this record.
    pub id: RecordId,
    /// Id of the request that performed the action.
    pub request_id: RecordId,
    /// Id of the further link that the request named; absent for the transfer and its own link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_id: Option<LinkId>,
    /// Time at which the action ended.
    pub at: Timestamp,
    /// Attempted operation.
    pub action: ActionName,
    /// Outcome of the action.
    pub outcome: Outcome,
    /// Error code of a rejected or failed action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// Number of requests that this record covers, for an upload in pieces; absent for a single request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u32>,
    /// Repaired object and its finding, for [`ActionName::StoreRepair`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired: Option<RepairedObject>,
}

/// Object that was repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepairedObject {
    /// Code of the finding.
    pub finding: String,
    /// Key of the object.
    pub object: String,
}

impl Action {
    /// Creates the record of an action of one request.
    #[must_use]
    pub const fn new(
        id: RecordId,
        request_id: RecordId,
        at: Timestamp,
        action: ActionName,
        outcome: Outcome,
        code: Option<ErrorCode>,
    ) -> Self {
        Self { v: V1, id, request_id, link_id: None, at, action, outcome, code, pieces: None, repaired: None }
    }
}
