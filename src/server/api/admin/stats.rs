//! `GET /stats/overview`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::wire::StatsOverview;
use crate::server::api::error::ApiError;
use crate::server::api::extract::Admin;
use crate::server::state::AppState;

/// Returns totals of stored transfers and of activity.
#[utoipa::path(
    get, operation_id = "get_statistics", path = "/stats/overview", tag = "stats",
    responses((status = 200, body = StatsOverview)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn overview(State(app): State<AppState>, _: Admin) -> Result<JsonResponse<StatsOverview>, ApiError> {
    let overview = app.transfers.overview(&app.tokens).await?;
    let untrusted_proxy = app.untrusted_proxy.get();
    let failing_targets = app.outbox.failing().await?;
    Ok(JsonResponse(StatsOverview { untrusted_proxy, failing_targets, ..overview }))
}
