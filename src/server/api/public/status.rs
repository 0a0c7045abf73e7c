//! `GET /transfers/id/{transfer_id}/status`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::crypto::proof::AccessProof;
use crate::domain::id::TransferId;
use crate::domain::wire::LinkStatus;
use crate::server::api::error::ApiError;
use crate::server::api::extract::{AnyLink, Proofs, Scope};
use crate::server::state::AppState;

/// Returns the status of a transfer, or of a further link under its id. Needs only the id.
///
/// The info block of a ready transfer with access protection is returned with the access proof only. Under the id of a
/// further link, only four members are returned without the proof.
#[utoipa::path(
    get, operation_id = "get_transfer_status", path = "/transfers/id/{transfer_id}/status", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-access" = inline(Option<AccessProof>), Header)),
    responses((status = 200, body = LinkStatus))
)]
pub(super) async fn status(
    State(app): State<AppState>,
    scope: Scope,
    AnyLink(link): AnyLink,
    Proofs { access, .. }: Proofs,
) -> Result<JsonResponse<LinkStatus>, ApiError> {
    Ok(JsonResponse(app.transfers.status(&scope, &link, access.as_ref())?))
}
