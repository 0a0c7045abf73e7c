//! `GET /metrics`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::server::api::extract::Admin;
use crate::server::state::AppState;

/// The format that Prometheus prefers.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns Prometheus metrics of this process since its start.
#[utoipa::path(
    get, operation_id = "get_metrics", path = "/metrics", tag = "stats",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn metrics(State(app): State<AppState>, _: Admin) -> Response {
    ([(CONTENT_TYPE, OPEN_METRICS)], app.metrics.to_text()).into_response()
}
