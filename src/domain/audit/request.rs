//! What was asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client::ClientSummary;
use crate::domain::error::ErrorCode;
use crate::domain::id::{RecordId, TokenId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// One of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceName {
    /// `sgsend serve public`
    Public,
    /// `sgsend serve admin`
    Admin,
}

impl ServiceName {
    /// The name as it stands in records and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestRecord {
    /// The version of this form.
    pub v: V1,
    /// The record's own id.
    pub id: RecordId,
    /// What its answer carried as `x-request-id`.
    pub request_id: RecordId,
    /// What the client called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// When it arrived.
    pub at: Timestamp,
    /// Which service it came to.
    pub service: ServiceName,
    /// The HTTP method.
    pub method: String,
    /// The route's template: never the path, never a query.
    pub route: String,
    /// The HTTP status of its answer.
    pub status: u16,
    /// The error code of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// Bytes of its body that were read.
    pub bytes_in: u64,
    /// Bytes of the answer's body that were handed to the connection.
    pub bytes_out: u64,
    /// From its arrival to its record, in milliseconds.
    pub duration_ms: u64,
    /// The sender token that it was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Who made it.
    pub client: ClientSummary,
}
