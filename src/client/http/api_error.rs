//! Error responses of the service.

use std::time::Duration;

use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;

/// Error response of the server: its status, code and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ResponseError {
    /// The HTTP status.
    pub status: u16,
    /// The stable error code, if this version knows it.
    pub code: Option<ErrorCode>,
    /// The code as received; `http_<status>` if the response has no code.
    pub code_text: String,
    /// The server's message. Untrusted text: escape it before display.
    pub detail: String,
    /// The request's id in the server's records.
    pub request_id: Option<String>,
    /// The exceeded limit, in bytes.
    pub limit_bytes: Option<u64>,
    /// Payload bytes that the server has received.
    pub received_bytes: Option<u64>,
    /// Id of the transfer, if a route for transfers was called with the id of a further link.
    pub transfer_id: Option<TransferId>,
    /// Delay before the next retry, as requested by the server.
    pub retry_after: Option<Duration>,
}

impl ResponseError {
    /// Returns whether a retry of the same request may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.code {
            Some(ErrorCode::RateLimited) => true,
            // A retry does not help, even if the status is transient.
            Some(ErrorCode::QuotaExceeded | ErrorCode::EventLimitReached | ErrorCode::StorageFull) => false,
            _ => matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api_error(status: u16, code: Option<ErrorCode>) -> ResponseError {
        ResponseError {
            status,
            code,
            code_text: String::new(),
            detail: String::new(),
            request_id: None,
            limit_bytes: None,
            received_bytes: None,
            transfer_id: None,
            retry_after: None,
        }
    }

    #[test]
    fn only_transient_errors_are_retried() {
        for (status, code, transient) in [
            (429, Some(ErrorCode::RateLimited), true),
            (429, Some(ErrorCode::QuotaExceeded), false),
            (503, Some(ErrorCode::StorageUnavailable), true),
            (507, Some(ErrorCode::StorageFull), false),
            (502, None, true),
            (404, Some(ErrorCode::TransferNotFound), false),
            (409, Some(ErrorCode::UploadInProgress), false),
        ] {
            assert_eq!(api_error(status, code).is_transient(), transient, "{status} {code:?}");
        }
    }
}
