//! Counts requests and the time to their responses.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;

use super::MiddlewareContext;
use super::request_scope::{matched_route, method_name, scope_of};
use crate::server::api::error::ApiError;
use crate::server::metrics::RequestLabels;

/// Counts a request under its route, method and final status.
pub(super) async fn count_request(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let (scope, matched) = (scope_of(&request), matched_route(&request));
    let method = method_name(request.method());
    let response = next(request).await;
    let labels = RequestLabels {
        service: scope.request().service.as_str(),
        method,
        route: matched.route.map_or("none", |route| route.template),
        status: response.status().as_u16(),
    };
    let metrics = &context.app.metrics.requests;
    metrics.count(&labels, scope.age());
    if let Some(limit) = response.extensions().get::<ApiError>().and_then(ApiError::limit) {
        metrics.count_limit(scope.request().service, limit);
    }
    response
}
