//! `POST /transfers/id/{transfer_id}/upload/create-presign-urls`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::id::TransferId;
use crate::domain::wire::{PartNumbers, UploadInstruction};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Json, Scope, UploadedTransfer};
use crate::server::state::AppState;

/// Creates presigned upload URLs for further parts, or to replace expired URLs.
///
/// Only if clients upload directly to the payload store; else fails with 409 `wrong_mode`.
#[utoipa::path(
    post, operation_id = "create_upload_urls", path = "/transfers/id/{transfer_id}/upload/create-presign-urls", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-guest" = inline(Option<GuestProof>), Header)),
    request_body = PartNumbers,
    responses((status = 200, body = UploadInstruction)),
    security(("sender_token" = []))
)]
pub(super) async fn create_presign_urls(
    State(app): State<AppState>,
    scope: Scope,
    UploadedTransfer { transfer, .. }: UploadedTransfer,
    Json(request): Json<PartNumbers>,
) -> Result<JsonResponse<UploadInstruction>, ApiError> {
    Ok(JsonResponse(app.transfers.create_upload_urls(&scope, &transfer, &request.numbers).await?))
}
