//! Limits concurrent list requests.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use super::MiddlewareContext;
use super::request_scope::{matched_route, scope_of};
use crate::domain::audit::ActionName;
use crate::server::api::error::ApiError;

/// Takes a permit for a request that reads up to a thousand records, until its response is in memory.
///
/// The response counts towards the budget of buffered responses then. Networks have a limit of their own only where
/// requests are rate-limited.
pub(super) async fn limit_lists(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if !is_list(&request) {
        return next(request).await;
    }
    let network = context.limiter.is_some().then(|| scope_of(&request).request().network_key);
    match context.app.list_limit.acquire(network) {
        Ok(_permit) => next(request).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Returns whether the request reads many records. The statistics read a page of tokens.
fn is_list(request: &Request) -> bool {
    matches!(
        matched_route(request).action,
        Some(
            ActionName::EventList
                | ActionName::ActionList
                | ActionName::TokenList
                | ActionName::AuditRead
                | ActionName::StatsRead
                | ActionName::TransferList
                | ActionName::RequestList
                | ActionName::TransferDeleteMany
        )
    )
}
