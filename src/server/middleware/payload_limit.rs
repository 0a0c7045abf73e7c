//! Limits concurrent payload streams.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::Method;

use super::MiddlewareContext;
use super::request_scope::{matched_route, scope_of};
use crate::domain::audit::ActionName;
use crate::server::api::error::ApiError;
use crate::server::net::permit_body::PermitBody;
use crate::server::net::response_body::StreamedPayload;

/// Takes a permit before the handler opens a payload. A download holds it until its last bytes are written, an upload
/// until its request ends.
///
/// Networks have a limit of their own only where requests are rate-limited.
pub(super) async fn limit_payloads(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if !has_payload(&request) {
        return next(request).await;
    }
    let network = context.limiter.is_some().then(|| scope_of(&request).request().network_key);
    let permit = match context.app.payload_limit.acquire(network) {
        Ok(permit) => permit,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let response = next(request).await;
    if response.extensions().get::<StreamedPayload>().is_none() {
        return response;
    }
    response.map(|body| Body::new(PermitBody::new(body, Arc::new(permit))))
}

/// Returns whether the request or its response carries a payload.
fn has_payload(request: &Request) -> bool {
    match matched_route(request).action {
        Some(ActionName::PayloadUpload) => true,
        Some(ActionName::PayloadDownload) => request.method() == Method::GET,
        _ => false,
    }
}
