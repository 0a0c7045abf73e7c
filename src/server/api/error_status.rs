//! HTTP statuses of error codes.

use http::StatusCode;

use crate::domain::error::ErrorCode;

/// Returns the HTTP status of an error code.
#[must_use]
pub const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::InvalidId => StatusCode::BAD_REQUEST,
        ErrorCode::TokenMissing
        | ErrorCode::TokenInvalid
        | ErrorCode::AccessRequired
        | ErrorCode::AdminKeyInvalid
        | ErrorCode::MetricsKeyInvalid => StatusCode::UNAUTHORIZED,
        ErrorCode::TokenRevoked
        | ErrorCode::TokenExpired
        | ErrorCode::NotYourTransfer
        | ErrorCode::NotForRequests
        | ErrorCode::GuestProofInvalid
        | ErrorCode::AccessInvalid
        | ErrorCode::GrantInvalid
        | ErrorCode::OriginNotAllowed => StatusCode::FORBIDDEN,
        ErrorCode::TransferNotFound
        | ErrorCode::LinkNotFound
        | ErrorCode::TokenNotFound
        | ErrorCode::RequestNotFound
        | ErrorCode::NoKeys
        | ErrorCode::RouteNotFound
        | ErrorCode::ProofUnavailable => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::TransferNotPending
        | ErrorCode::UploadIncomplete
        | ErrorCode::OffsetMismatch
        | ErrorCode::UploadInProgress
        | ErrorCode::SizeMismatch
        | ErrorCode::NotificationsUnavailable
        | ErrorCode::IdempotencyMismatch
        | ErrorCode::InfoMismatch
        | ErrorCode::NoLink
        | ErrorCode::IsALink
        | ErrorCode::LinkMismatch
        | ErrorCode::TooManyLinks
        | ErrorCode::TooManyRequests
        | ErrorCode::AlreadyDownloaded
        | ErrorCode::NotCompleted
        | ErrorCode::WrongMode => StatusCode::CONFLICT,
        ErrorCode::TransferExpired
        | ErrorCode::TransferExhausted
        | ErrorCode::TransferDeleted
        | ErrorCode::LinkClosed
        | ErrorCode::GrantExpired => StatusCode::GONE,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorCode::RateLimited | ErrorCode::QuotaExceeded | ErrorCode::EventLimitReached => {
            StatusCode::TOO_MANY_REQUESTS
        }
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::StorageUnavailable
        | ErrorCode::StorageUpgraded
        | ErrorCode::ServerBusy
        | ErrorCode::RecordsNotReadable
        | ErrorCode::RecordsNotWritable
        | ErrorCode::PayloadsNotReadable
        | ErrorCode::PayloadsNotWritable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_each_code_with_its_status() {
        let table = include_str!("../../../docs/api.md");
        for code in ErrorCode::ALL {
            let row = format!("| {} | ", status_of(*code).as_u16());
            let row = table.lines().find(|line| line.starts_with(&row)).expect("each status has a row");
            assert!(row.contains(&format!("`{}`", code.as_str())), "{} is missing in: {row}", code.as_str());
        }
    }
}
