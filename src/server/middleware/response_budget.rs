//! Rejects reads whose response is over the memory for buffered responses, or over the limit of Lambda.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::Method;
use http_body::Body as _;

use super::MiddlewareContext;
use super::request_scope::matched_route;
use crate::domain::error::Error;
use crate::server::api::error::ApiError;

/// Reserves budget for the response to a read on an audited route.
///
/// Only for reads, which clients can retry: the response to a change is needed to learn its result.
pub(super) async fn reserve_budget(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let is_read = request.method() == Method::GET && matched_route(&request).action.is_some();
    let response = next(request).await;
    if !is_read {
        return response;
    }
    let bytes = response.body().size_hint().lower();
    if let Some(max) = context.max_response_bytes.filter(|max| bytes > *max) {
        let text =
            format!("the response has {bytes} bytes, over the limit of {max} bytes: ask for fewer items with limit");
        return ApiError::from(Error::InvalidRequest(text)).into_response();
    }
    context.app.response_budget.reserve(response).unwrap_or_else(|error| ApiError::from(error).into_response())
}
