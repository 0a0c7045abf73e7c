//! `POST /transfers/delete-many`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::wire::{DeleteTransfers, DeletedTransfers};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Admin, Json, Scope};
use crate::server::state::AppState;

/// Deletes several transfers: up to 100 by their ids, or those of a token.
///
/// Removes the payloads before the response. The response has one result for each transfer; a failed one does not stop
/// the others. Of a token with many transfers, each request deletes up to 100: repeat it with `after` until `next` is
/// null. Transfers that have ended and take no space are left as they are. An interrupted request can be repeated.
#[utoipa::path(
    post, operation_id = "delete_transfers", path = "/transfers/delete-many", tag = "transfers",
    request_body = DeleteTransfers,
    responses((status = 200, body = DeletedTransfers)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn delete_many(
    State(app): State<AppState>,
    scope: Scope,
    _: Admin,
    Json(request): Json<DeleteTransfers>,
) -> Result<JsonResponse<DeletedTransfers>, ApiError> {
    if let Some(token) = request.token_id {
        app.tokens.find(token).await?;
    }
    Ok(JsonResponse(app.transfers.delete_many(&scope, request).await?))
}
