//! `GET /audit/transfers/id/{transfer_id}/all`

use axum::Json as Answer;
use axum::extract::State;

use crate::domain::audit::Record;
use crate::domain::id::{RecordId, TransferId};
use crate::domain::wire::{Page, PageQuery};
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Admin, Found, Id, Params};
use crate::server::paging::after;

/// The complete audit stream of a transfer: requests, actions and events with every detail, oldest first.
#[utoipa::path(
    get, path = "/audit/transfers/id/{transfer_id}/all", tag = "audit",
    params(("transfer_id" = TransferId, Path), ("after" = Option<RecordId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = Page<Record>)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn all(
    State(app): State<AppState>,
    Id(id): Id<TransferId>,
    _: Admin,
    Found(_): Found,
    Params(query): Params<PageQuery>,
) -> Result<Answer<Page<Record>>, Refusal> {
    Ok(Answer(app.transfers.list_everything(id, after(&query)?, query.limit).await?))
}
