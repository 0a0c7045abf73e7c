//! Request records.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client::ClientSummary;
use crate::domain::error::ErrorCode;
use crate::domain::id::{LinkId, RecordId, TokenId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Name of one of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceName {
    /// `sgsend serve public`
    Public,
    /// `sgsend serve admin`
    Admin,
}

impl ServiceName {
    /// Returns the name as used in records and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// Record of one HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestRecord {
    /// Version of the record format.
    pub v: V1,
    /// Id of this record.
    pub id: RecordId,
    /// Request id assigned by the server, sent as `x-request-id` in the response.
    pub request_id: RecordId,
    /// Request id assigned by the client, from its `x-request-id` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// Id of the further link that the request named; absent for the transfer and its own link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_id: Option<LinkId>,
    /// Time of arrival.
    pub at: Timestamp,
    /// Service that received the request.
    pub service: ServiceName,
    /// The HTTP method.
    pub method: String,
    /// Template of the route; never the actual path or query.
    pub route: String,
    /// HTTP status of the response.
    pub status: u16,
    /// Error code of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// Number of bytes read from the request body.
    pub bytes_in: u64,
    /// Number of response body bytes passed to the connection.
    pub bytes_out: u64,
    /// Time from arrival to the creation of this record, in milliseconds.
    pub duration_ms: u64,
    /// Number of requests that this record covers, for an upload in pieces; absent for a single request. Bytes and
    /// duration are their sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u32>,
    /// Id of the sender token used for the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Client that sent the request.
    pub client: ClientSummary,
}
