//! Counts requests and the time to their responses.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::request_scope::{MatchedRoute, method_name};
use crate::domain::audit::RequestScope;
use crate::server::metrics::RequestLabels;
use crate::server::state::AppState;

/// Counts a request under its route, method and final status.
pub(super) async fn count_request(
    State(app): State<AppState>,
    Extension(scope): Extension<Arc<RequestScope>>,
    Extension(entry): Extension<MatchedRoute>,
    request: Request,
    next: Next,
) -> Response {
    let method = method_name(request.method());
    let response = next.run(request).await;
    let labels = RequestLabels {
        service: scope.request().service.as_str(),
        method,
        route: entry.route.map_or("none", |route| route.template),
        status: response.status().as_u16(),
    };
    app.metrics.count(&labels, scope.age());
    response
}
