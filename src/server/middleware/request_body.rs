//! Guards request bodies against slow clients, and drains what an early response leaves unread.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::EXPECT;

use super::MiddlewareContext;
use crate::server::net::request_body::GuardedBody;

/// Wraps the request body in a [`GuardedBody`].
pub(super) async fn guard_body(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let expects_continue = request.headers().contains_key(EXPECT);
    next(request.map(|body| Body::new(GuardedBody::new(body, context.timeouts, expects_continue)))).await
}
