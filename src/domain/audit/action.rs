//! What a request did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::error::ErrorCode;
use crate::domain::id::RecordId;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// What was attempted, as `noun.verb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum ActionName {
    /// A transfer is created.
    #[serde(rename = "transfer.create")]
    TransferCreate,
    /// A transfer's state is read.
    #[serde(rename = "transfer.status")]
    TransferStatus,
    /// A transfer is deleted.
    #[serde(rename = "transfer.delete")]
    TransferDelete,
    /// Payload bytes are sent to this service.
    #[serde(rename = "payload.upload")]
    PayloadUpload,
    /// Payload bytes, or their headers, are fetched from this service.
    #[serde(rename = "payload.download")]
    PayloadDownload,
    /// It is asked what has arrived.
    #[serde(rename = "upload.status")]
    UploadStatus,
    /// Upload URLs are asked for.
    #[serde(rename = "upload.presign")]
    UploadPresign,
    /// An upload is declared complete.
    #[serde(rename = "upload.complete")]
    UploadComplete,
    /// A download is asked for.
    #[serde(rename = "download.grant")]
    DownloadGrant,
    /// An event is added.
    #[serde(rename = "event.add")]
    EventAdd,
    /// Events are listed.
    #[serde(rename = "event.list")]
    EventList,
    /// Actions are listed.
    #[serde(rename = "action.list")]
    ActionList,
    /// A token is created.
    #[serde(rename = "token.create")]
    TokenCreate,
    /// The holder of a token asks what it may be used for.
    #[serde(rename = "token.status")]
    TokenStatus,
    /// Tokens are listed.
    #[serde(rename = "token.list")]
    TokenList,
    /// A token is revoked.
    #[serde(rename = "token.revoke")]
    TokenRevoke,
    /// Statistics are read.
    #[serde(rename = "stats.read")]
    StatsRead,
    /// A transfer's audit stream is read.
    #[serde(rename = "audit.read")]
    AuditRead,
    /// An admin session is asked for.
    #[serde(rename = "session.create")]
    SessionCreate,
    /// An admin session is ended.
    #[serde(rename = "session.end")]
    SessionEnd,
    /// Something that no route answers to.
    #[serde(rename = "route.none")]
    RouteNone,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not granted.
    Refused,
    /// It was granted and could not be done.
    Failed,
}

impl Outcome {
    /// How a request ended that was answered with this HTTP status.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            ..400 => Self::Done,
            400..500 => Self::Refused,
            500.. => Self::Failed,
        }
    }
}

/// What one request did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    /// The version of this form.
    pub v: V1,
    /// The record's own id.
    pub id: RecordId,
    /// The request that did it.
    pub request_id: RecordId,
    /// When it ended.
    pub at: Timestamp,
    /// What was attempted.
    pub action: ActionName,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
}
