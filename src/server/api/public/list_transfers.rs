//! `GET /transfers/list` of the public service.

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::wire::{OwnTransferQuery, TransferPage};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Params, Sender};
use crate::server::state::AppState;

/// Lists the transfers created with the sender token of the request, newest first.
///
/// With `request`, the uploads of guests for one of the token's requests.
///
/// Transfers are listed until their records are removed, also ended ones.
#[utoipa::path(
    get, operation_id = "list_own_transfers", path = "/transfers/list", tag = "transfers",
    params(OwnTransferQuery),
    responses((status = 200, body = TransferPage)),
    security(("sender_token" = []))
)]
pub(super) async fn list(
    State(app): State<AppState>,
    Sender(token): Sender,
    Params(query): Params<OwnTransferQuery>,
) -> Result<JsonResponse<TransferPage>, ApiError> {
    Ok(JsonResponse(app.transfers.list_own(token.token_id, query).await?))
}
