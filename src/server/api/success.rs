//! HTTP statuses of successful changes.

use http::StatusCode;

use crate::domain::audit::ChangeResult;

/// Returns the HTTP status for the result of a change; `None` if only the response decides.
#[must_use]
pub(crate) fn success_status(result: ChangeResult) -> Option<u16> {
    match result {
        ChangeResult::Created => Some(StatusCode::CREATED.as_u16()),
        ChangeResult::Done => Some(StatusCode::OK.as_u16()),
        ChangeResult::Later => None,
    }
}
