//! `GET /transfers/list` of the admin service.

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::error::Error;
use crate::domain::wire::{TransferPage, TransferQuery};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Admin, Params};
use crate::server::state::AppState;

/// Maximum of `older_than`, in seconds.
///
/// The largest integer that each JSON parser reads exactly (RFC 8259, section 6).
const MAX_AGE_S: u64 = (1 << 53) - 1;

/// Lists the transfers of all senders, in the requested order.
///
/// Transfers are listed until their records are removed, also ended ones. The order by downloads, and by size of one
/// token, compares the newest 10 000 transfers; `is_partial` says whether there are more.
#[utoipa::path(
    get, operation_id = "list_all_transfers", path = "/transfers/list", tag = "transfers",
    params(TransferQuery),
    responses((status = 200, body = TransferPage)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn list(
    State(app): State<AppState>,
    _: Admin,
    Params(query): Params<TransferQuery>,
) -> Result<JsonResponse<TransferPage>, ApiError> {
    if query.older_than.is_some_and(|seconds| seconds > MAX_AGE_S) {
        return Err(Error::InvalidRequest(format!("older_than: at most {MAX_AGE_S}")).into());
    }
    Ok(JsonResponse(app.transfers.list_all(query).await?))
}
