//! Runs each request to its end in a task of its own, even if the client disconnects.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::MiddlewareContext;
use crate::server::net::in_flight::RequestSlots;

/// Waits for a request slot of the connection, then runs the request in a task that holds the slot.
///
/// A client that disconnects while its request waits drops it before it started. Later, a disconnect aborts neither the
/// change half-way nor its audit record.
pub(super) async fn run_to_end<F>(
    _: Arc<MiddlewareContext>,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    let slot = match request.extensions().get::<RequestSlots>() {
        Some(slots) => Some(slots.acquire().await),
        None => None,
    };
    let response = next(request);
    let handling = async move {
        let response = response.await;
        drop(slot);
        response
    };
    tokio::spawn(handling).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
