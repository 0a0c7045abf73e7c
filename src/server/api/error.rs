//! Error responses: problem details (RFC 9457) and their headers.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::error_status::status_of;
use crate::domain::error::{Error, ErrorCode, chain};
use crate::domain::id::RecordId;
use crate::domain::limits::LimitName;
use crate::domain::store::to_json;
use crate::domain::wire::Problem;

/// `Retry-After` of a response sent while the store is unavailable.
const STORE_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The error response of a handler or extractor.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    error: Arc<Error>,
    status: StatusCode,
    /// Codes of all failed checks of a service that is not ready.
    failed_checks: Arc<[ErrorCode]>,
}

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { status: status_of(error.code()), error: Arc::new(error), failed_checks: Arc::default() }
    }
}

impl IntoResponse for ApiError {
    /// Creates a response that only carries the error.
    ///
    /// The middleware knows the request id and renders the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Returns the `WWW-Authenticate` challenge for an error of missing or invalid credentials. Returns `None` for other
/// errors.
const fn challenge(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::TokenMissing => Some("Bearer realm=\"sgsend\""),
        ErrorCode::TokenInvalid => Some("Bearer realm=\"sgsend\", error=\"invalid_token\""),
        ErrorCode::AccessRequired => Some("SgsendAccess realm=\"sgsend\""),
        ErrorCode::AdminKeyInvalid => Some("ApiKey realm=\"sgsend admin\""),
        ErrorCode::MetricsKeyInvalid => Some("Bearer realm=\"sgsend metrics\""),
        _ => None,
    }
}

impl ApiError {
    /// Creates the error of a service that is not ready: its status is 503, whatever the cause.
    pub(crate) fn not_ready(error: Error, failed_checks: &[ErrorCode]) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, failed_checks: failed_checks.into(), ..error.into() }
    }

    /// Returns the error code.
    #[must_use]
    pub(crate) fn code(&self) -> ErrorCode {
        self.error.code()
    }

    /// Returns the limit that rejected the request, if a limit did.
    pub(crate) fn limit(&self) -> Option<LimitName> {
        self.error.limit()
    }

    /// Renders the error as problem details, and logs the cause of server errors (5xx).
    #[must_use]
    pub(crate) fn render(&self, request_id: RecordId) -> Response {
        let (error, status) = (&*self.error, self.status);
        if status.is_server_error() {
            tracing::error!(%request_id, error = %chain(error), "request failed");
        }
        let (mut limit_bytes, mut received_bytes, mut transfer_id) = (None, None, None);
        match error {
            Error::PayloadTooLarge { limit_bytes: limit } => limit_bytes = Some(*limit),
            Error::UploadIncomplete { received_bytes: received, .. }
            | Error::OffsetMismatch { received_bytes: received } => received_bytes = Some(*received),
            Error::IsALink { transfer_id: id } => transfer_id = Some(*id),
            _ => {}
        }
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("error").to_owned(),
            status: status.as_u16(),
            detail: error.to_string(),
            code: error.code().as_str().to_owned(),
            request_id: request_id.to_string(),
            limit_bytes,
            received_bytes,
            transfer_id,
            failed_checks: self.failed_checks.iter().map(|code| code.as_str().to_owned()).collect(),
        };
        let mut response = (status, to_json(&problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge(error.code()) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let retry_after = match error {
            Error::RateLimited { retry_after, .. } | Error::ServerBusy { retry_after, .. } => Some(*retry_after),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(STORE_RETRY_AFTER),
            _ => None,
        };
        if let Some(retry_after) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs() + 1));
        }
        if let Error::RangeNotSatisfiable { size_bytes } = error {
            let range = HeaderValue::from_str(&format!("bytes */{size_bytes}"));
            headers.insert(CONTENT_RANGE, range.expect("digits are a valid header value"));
        }
        response
    }
}
