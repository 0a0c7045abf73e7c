//! `GET /metrics` of both services.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::extract::MetricsReader;
use crate::domain::clock::ClockState;
use crate::server::state::AppState;

/// The format that Prometheus prefers.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns Prometheus metrics of this process since its start.
#[utoipa::path(
    get, operation_id = "get_metrics", path = "/metrics", tag = "stats",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
    security(("metrics_key" = []))
)]
pub(crate) async fn public(State(app): State<AppState>, _: MetricsReader) -> Response {
    response(&app)
}

/// Returns Prometheus metrics of this process since its start.
#[utoipa::path(
    get, operation_id = "get_metrics", path = "/metrics", tag = "stats",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
    security(("metrics_key" = []), ("admin_key" = []), ("admin_cookie" = []))
)]
pub(crate) async fn admin(State(app): State<AppState>, _: MetricsReader) -> Response {
    response(&app)
}

fn response(app: &AppState) -> Response {
    app.metrics.set_clock_jumped(app.clock_guard.check(None) != ClockState::Trusted);
    app.metrics.set_storage(&app.transfers.storage_space());
    ([(CONTENT_TYPE, OPEN_METRICS)], app.metrics.to_text()).into_response()
}
