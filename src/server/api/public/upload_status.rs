//! `GET /transfers/id/{transfer_id}/upload/status`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::id::TransferId;
use crate::domain::wire::UploadStatus;
use crate::server::api::error::ApiError;
use crate::server::api::extract::UploadedTransfer;
use crate::server::state::AppState;

/// Returns the received bytes or parts, to resume an upload.
#[utoipa::path(
    get, operation_id = "get_upload_status", path = "/transfers/id/{transfer_id}/upload/status", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-guest" = inline(Option<GuestProof>), Header)),
    responses((status = 200, body = UploadStatus)),
    security(("sender_token" = []))
)]
pub(super) async fn upload_status(
    State(app): State<AppState>,
    UploadedTransfer { transfer, .. }: UploadedTransfer,
) -> Result<JsonResponse<UploadStatus>, ApiError> {
    Ok(JsonResponse(app.transfers.upload_status(&transfer).await?))
}
