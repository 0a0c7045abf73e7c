//! `GET /audit/transfers/id/{transfer_id}/all`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::id::{RecordId, TransferId};
use crate::domain::wire::{PageQuery, RecordPage};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Admin, AnyTransfer, Id, Params};
use crate::server::api::paging::after;
use crate::server::state::AppState;

/// Lists the full audit trail of a transfer, oldest first: requests, actions and events.
#[utoipa::path(
    get, operation_id = "list_audit_records", path = "/audit/transfers/id/{transfer_id}/all", tag = "audit",
    params(("transfer_id" = TransferId, Path), ("after" = Option<RecordId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = RecordPage)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn all(
    State(app): State<AppState>,
    _: Id<TransferId>,
    _: Admin,
    AnyTransfer(transfer): AnyTransfer,
    Params(query): Params<PageQuery>,
) -> Result<JsonResponse<RecordPage>, ApiError> {
    Ok(JsonResponse(app.transfers.list_everything(&transfer, after(&query)?, query.limit).await?))
}
