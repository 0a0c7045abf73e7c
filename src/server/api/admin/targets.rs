//! `GET /notifications/targets`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::wire::TargetList;
use crate::server::api::error::ApiError;
use crate::server::api::extract::Admin;
use crate::server::state::AppState;

/// Lists the targets of notifications with their deliveries.
///
/// A target is listed from its first notification on.
#[utoipa::path(
    get, operation_id = "list_notification_targets", path = "/notifications/targets", tag = "stats",
    responses((status = 200, body = TargetList)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn list(State(app): State<AppState>, _: Admin) -> Result<JsonResponse<TargetList>, ApiError> {
    Ok(JsonResponse(TargetList { items: app.outbox.list().await? }))
}
