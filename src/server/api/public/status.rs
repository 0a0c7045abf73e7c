//! `GET /transfers/id/{transfer_id}/status`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::crypto::proof::AccessProof;
use crate::domain::id::TransferId;
use crate::domain::wire::TransferStatus;
use crate::server::api::error::ApiError;
use crate::server::api::extract::{AnyTransfer, Proofs, Scope};
use crate::server::state::AppState;

/// Returns the status of a transfer. Needs only the transfer id.
///
/// The info block of a ready transfer with access protection is returned with the access proof only.
#[utoipa::path(
    get, operation_id = "get_transfer_status", path = "/transfers/id/{transfer_id}/status", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-access" = inline(Option<AccessProof>), Header)),
    responses((status = 200, body = TransferStatus))
)]
pub(super) async fn status(
    State(app): State<AppState>,
    scope: Scope,
    AnyTransfer(transfer): AnyTransfer,
    Proofs { access, .. }: Proofs,
) -> Result<JsonResponse<TransferStatus>, ApiError> {
    let info = app.transfers.info(&scope, &transfer, access.as_ref())?;
    Ok(JsonResponse(TransferStatus { info, ..TransferStatus::of(&transfer, app.transfers.mode(), app.now()) }))
}
