//! Rejects reads whose response no longer fits into the memory for buffered responses.

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;

use super::request_scope::MatchedRoute;
use crate::server::api::error::ApiError;
use crate::server::state::AppState;

/// Reserves budget for the response to a read on an audited route.
///
/// Only for reads, which clients can retry: the response to a change is needed to learn its result.
pub(super) async fn reserve_budget(
    State(app): State<AppState>,
    Extension(entry): Extension<MatchedRoute>,
    request: Request,
    next: Next,
) -> Response {
    let is_read = request.method() == Method::GET && entry.action.is_some();
    let mut response = next.run(request).await;
    if is_read && let Err(error) = app.response_budget.reserve(&mut response) {
        return ApiError::from(error).into_response();
    }
    response
}
