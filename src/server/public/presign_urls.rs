//! `POST /transfers/id/{transfer_id}/upload/create-presign-urls`

use axum::Json as Answer;
use axum::extract::State;

use crate::domain::id::TransferId;
use crate::domain::wire::{PartNumbers, UploadInstruction};
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Json, Owned, Scope};

/// Signs upload URLs, where clients send to the payload store: 409 `wrong_mode` where bytes go through this service.
///
/// For the parts that come after the first ones, and when URLs have run out.
#[utoipa::path(
    post, path = "/transfers/id/{transfer_id}/upload/create-presign-urls", tag = "transfers",
    params(("transfer_id" = TransferId, Path)),
    request_body = PartNumbers,
    responses((status = 200, body = UploadInstruction)),
    security(("sender_token" = []))
)]
pub(super) async fn create_presign_urls(
    State(app): State<AppState>,
    scope: Scope,
    Owned(transfer): Owned,
    Json(wanted): Json<PartNumbers>,
) -> Result<Answer<UploadInstruction>, Refusal> {
    Ok(Answer(app.transfers.create_upload_urls(&scope, &transfer, &wanted.numbers).await?))
}
