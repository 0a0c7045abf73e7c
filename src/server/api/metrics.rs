//! `GET /metrics` of both services.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::extract::MetricsReader;
use crate::server::metrics::{OPEN_METRICS, scrape};
use crate::server::state::AppState;

/// Returns Prometheus metrics of this process since its start.
#[utoipa::path(
    get, operation_id = "get_metrics", path = "/metrics", tag = "stats",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
    security(("metrics_key" = []))
)]
pub(crate) async fn public(State(app): State<AppState>, _: MetricsReader) -> Response {
    response(&app).await
}

/// Returns Prometheus metrics of this process since its start.
#[utoipa::path(
    get, operation_id = "get_metrics", path = "/metrics", tag = "stats",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
    security(("metrics_key" = []), ("admin_key" = []), ("admin_cookie" = []))
)]
pub(crate) async fn admin(State(app): State<AppState>, _: MetricsReader) -> Response {
    response(&app).await
}

async fn response(app: &AppState) -> Response {
    ([(CONTENT_TYPE, OPEN_METRICS)], scrape(app).await).into_response()
}
