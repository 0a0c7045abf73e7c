//! Error responses: RFC 9457 problem details.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;

/// Error response. `code` is stable; `title` and `detail` are for users and may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Problem type URI: always `about:blank`, since `code` identifies the problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// Reason phrase of the HTTP status.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// Explanation of the error in this request.
    pub detail: String,
    /// Stable error code; [`ErrorCode`] lists the codes known to this version.
    #[schema(value_type = ErrorCode)]
    pub code: String,
    /// Request id, as in the header `x-request-id`.
    pub request_id: String,
    /// Exceeded size limit, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
    /// Number of payload bytes received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// Id of the transfer, in responses to its sender with the code `is_a_link`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_id: Option<TransferId>,
    /// Codes of all failed checks of `GET /health/ready`.
    #[schema(value_type = Vec<ErrorCode>)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_checks: Vec<String>,
}

impl Problem {
    /// Returns the parsed code, or `None` for a code unknown to this version.
    #[must_use]
    pub fn error_code(&self) -> Option<ErrorCode> {
        ErrorCode::from_text(&self.code)
    }
}
