//! HTTP statuses in audit records, and the outcomes that statuses stand for.

use http::StatusCode;

use crate::domain::audit::{ChangeResult, Outcome};

/// Returns the HTTP status for the result of a change; `None` if only the response decides.
#[must_use]
pub(crate) fn success_status(result: ChangeResult) -> Option<u16> {
    match result {
        ChangeResult::Created => Some(StatusCode::CREATED.as_u16()),
        ChangeResult::Done => Some(StatusCode::OK.as_u16()),
        ChangeResult::Later => None,
    }
}

/// Returns the outcome of an action from the HTTP status of its response.
#[must_use]
pub(crate) fn outcome_of(status: StatusCode) -> Outcome {
    if status.is_server_error() {
        Outcome::Failed
    } else if status.is_client_error() {
        Outcome::Refused
    } else {
        Outcome::Done
    }
}
