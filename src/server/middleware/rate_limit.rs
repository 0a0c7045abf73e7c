//! Rate limit per client address.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use super::Context;
use super::request_scope::scope_of;
use crate::server::api::error::ApiError;

/// Counts the request against the rate limit of its client address, and rejects it above the limit.
///
/// Adds the limiter to the extensions of the request: the extractor of sender tokens counts against their own limit.
pub(super) async fn limit_rate(
    context: Arc<Context>,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if let Some(limiter) = &context.limiter {
        if let Err(error) = limiter.count_address(scope_of(&request).request().client_key) {
            return ApiError::from(error).into_response();
        }
        request.extensions_mut().insert(limiter.clone());
    }
    next(request).await
}
