//! Rate limit per client address.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::domain::audit::RequestScope;
use crate::server::api::error::ApiError;
use crate::server::net::rate_limit::RateLimiter;

/// Counts the request against the rate limit of its client address, and rejects it above the limit.
///
/// Adds the limiter to the extensions of the request: the extractor of sender tokens counts against their own limit.
pub(super) async fn limit_rate(
    State(limiter): State<Option<Arc<RateLimiter>>>,
    Extension(scope): Extension<Arc<RequestScope>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(limiter) = limiter {
        if let Err(error) = limiter.count_address(scope.request().client_key) {
            return ApiError::from(error).into_response();
        }
        request.extensions_mut().insert(limiter);
    }
    next.run(request).await
}
