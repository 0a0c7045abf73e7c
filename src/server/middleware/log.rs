//! Logs each response at debug level.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::domain::audit::RequestScope;

/// Logs route and status of a response, never the path of its request.
pub(super) async fn log_response(
    Extension(scope): Extension<Arc<RequestScope>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let info = scope.request();
    let (request_id, method, route) = (info.request_id, &info.method, &info.route);
    tracing::debug!(%request_id, service = info.service.as_str(), method, route, status = response.status().as_u16());
    response
}
