//! Rate limit per client address.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_LENGTH;

use super::MiddlewareContext;
use super::request_scope::{matched_route, scope_of};
use crate::domain::audit::ActionName;
use crate::server::api::error::ApiError;
use crate::server::net::rate_limit::UncountedPiece;

/// Minimum size in bytes of a piece of an upload that counts only if it fails.
const MIN_PIECE: u64 = 1 << 20;

/// Counts the request against the rate limit of its client address, and rejects it above the limit.
///
/// A piece of an upload counts only if it fails: a large file must not use up the burst of its sender, whose concurrent
/// uploads and bytes have their own limits.
///
/// Adds the limiter to the extensions of the request: the extractor of sender tokens counts against their own limit.
pub(super) async fn limit_rate(
    context: Arc<MiddlewareContext>,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let Some(limiter) = &context.limiter else { return next(request).await };
    let (client, is_piece) = (scope_of(&request).request().rate_limit_key(), is_piece(&request));
    let allowed = if is_piece { limiter.check_address(client) } else { limiter.count_address(client) };
    if let Err(error) = allowed {
        return ApiError::from(error).into_response();
    }
    request.extensions_mut().insert(limiter.clone());
    if !is_piece {
        return next(request).await;
    }
    request.extensions_mut().insert(UncountedPiece);
    let response = next(request).await;
    if !response.status().is_success() {
        // An address above its limit is rejected at its next request.
        let _ = limiter.count_address(client);
    }
    response
}

/// Returns whether the request is a piece of an upload, with a body of at least [`MIN_PIECE`].
fn is_piece(request: &Request) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    matched_route(request).action == Some(ActionName::PayloadUpload) && length.is_some_and(|length| length >= MIN_PIECE)
}
