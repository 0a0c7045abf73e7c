//! Turns a panic of a handler into an internal error, which is recorded like any other.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::MiddlewareContext;
use crate::domain::error::Error;
use crate::server::api::error::ApiError;

/// Runs the handler, and responds with [`Error::Internal`] if it panics.
pub(super) async fn catch_panic(
    _: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let handled = AssertUnwindSafe(next(request)).catch_unwind().await;
    handled.unwrap_or_else(|_| ApiError::from(Error::Internal("a handler panicked".into())).into_response())
}
