//! Guards request bodies against slow clients, and drains what an early response leaves unread.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::EXPECT;

use crate::server::net::request_body::GuardedBody;
use crate::server::net::timeouts::Timeouts;

/// Wraps the request body in a [`GuardedBody`].
pub(super) async fn guard_body(State(timeouts): State<Timeouts>, request: Request, next: Next) -> Response {
    let expects_continue = request.headers().contains_key(EXPECT);
    next.run(request.map(|body| Body::new(GuardedBody::new(body, timeouts, expects_continue)))).await
}
