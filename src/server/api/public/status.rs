//! `GET /transfers/id/{transfer_id}/status`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::id::TransferId;
use crate::domain::wire::TransferStatus;
use crate::server::api::error::ApiError;
use crate::server::api::extract::AnyTransfer;
use crate::server::state::AppState;

/// Returns the status of a transfer. Needs only the transfer id.
#[utoipa::path(
    get, operation_id = "get_transfer_status", path = "/transfers/id/{transfer_id}/status", tag = "transfers",
    params(("transfer_id" = TransferId, Path)),
    responses((status = 200, body = TransferStatus))
)]
pub(super) async fn status(
    State(app): State<AppState>,
    AnyTransfer(transfer): AnyTransfer,
) -> Result<JsonResponse<TransferStatus>, ApiError> {
    Ok(JsonResponse(TransferStatus::of(&transfer, app.transfers.mode(), app.now())))
}
