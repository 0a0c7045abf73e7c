//! Logs each response at debug level.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;

use super::MiddlewareContext;
use super::request_scope::scope_of;

/// Logs route and status of a response, never the path of its request.
pub(super) async fn log_response(
    _: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let scope = scope_of(&request);
    let response = next(request).await;
    let info = scope.request();
    let (request_id, method, route) = (info.request_id, &info.method, &info.route);
    tracing::debug!(%request_id, service = info.service.as_str(), method, route, status = response.status().as_u16());
    response
}
