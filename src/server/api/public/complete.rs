//! `POST /transfers/id/{transfer_id}/upload/complete`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::id::TransferId;
use crate::domain::notification::NotificationChoice;
use crate::domain::wire::{CompleteUpload, CompletedTransfer, TransferStatus, Transparency};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Json, Scope, UploadedTransfer};
use crate::server::state::AppState;

/// Completes an upload after all its bytes have arrived.
///
/// Idempotent: a repeated call with the same body returns the same response.
#[utoipa::path(
    post, operation_id = "complete_upload", path = "/transfers/id/{transfer_id}/upload/complete", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-guest" = inline(Option<GuestProof>), Header)),
    request_body = CompleteUpload,
    responses((status = 200, body = CompletedTransfer)),
    security(("sender_token" = []))
)]
pub(super) async fn complete(
    State(app): State<AppState>,
    scope: Scope,
    UploadedTransfer { transfer, owner }: UploadedTransfer,
    Json(request): Json<CompleteUpload>,
) -> Result<JsonResponse<CompletedTransfer>, ApiError> {
    let transfer = app.transfers.complete(&scope, transfer, &request).await?;
    let transparency = Transparency::for_sender(app.transfers.settings().ip_mode, transfer.upload_flow());
    let transparency = transparency.with_people(transfer.keys.as_ref(), transfer.signature.is_some());
    Ok(JsonResponse(CompletedTransfer {
        status: TransferStatus::of(&transfer, app.transfers.mode(), app.now()),
        transparency: match transfer.notifications.choice {
            NotificationChoice::Never => transparency,
            // A guest does not learn who made the request.
            _ if transfer.guest.is_some() => transparency,
            _ => transparency.with_targets(&owner.notifications, app.notifier.service_target()),
        },
    }))
}
