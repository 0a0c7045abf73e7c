//! `POST /transfers/id/{transfer_id}/delete`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::id::TransferId;
use crate::domain::wire::{Empty, TransferStatus};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{DeletableTransfer, Json, Scope};
use crate::server::state::AppState;

/// Deletes a transfer in any state. Idempotent. Removes the payload before the response.
///
/// A guest can delete the own upload for a request until it was downloaded.
#[utoipa::path(
    post, operation_id = "delete_transfer", path = "/transfers/id/{transfer_id}/delete", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-guest" = inline(Option<GuestProof>), Header)),
    request_body = Empty,
    responses((status = 200, body = TransferStatus)),
    security(("sender_token" = []))
)]
pub(super) async fn delete(
    State(app): State<AppState>,
    scope: Scope,
    DeletableTransfer { transfer, by_guest }: DeletableTransfer,
    Json(Empty {}): Json<Empty>,
) -> Result<JsonResponse<TransferStatus>, ApiError> {
    if by_guest {
        app.transfers.check_deletable_by_guest(&transfer).await?;
    }
    let transfer = app.transfers.delete(&scope, transfer.transfer_id).await?;
    Ok(JsonResponse(TransferStatus::of(&transfer, app.transfers.mode(), app.now())))
}
