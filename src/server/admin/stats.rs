//! `GET /stats/overview`

use axum::Json as Answer;
use axum::extract::State;

use crate::domain::wire::StatsOverview;
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::Admin;

/// Adds up what the service holds and did.
#[utoipa::path(
    get, path = "/stats/overview", tag = "stats",
    responses((status = 200, body = StatsOverview)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn overview(State(app): State<AppState>, _: Admin) -> Result<Answer<StatsOverview>, Refusal> {
    Ok(Answer(app.transfers.overview(&app.tokens).await?))
}
