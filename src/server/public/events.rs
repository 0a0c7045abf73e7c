//! `/transfers/id/{transfer_id}/events/…` and `…/actions/list`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;

use crate::domain::audit::{Record, RecordKind};
use crate::domain::id::{RecordId, TransferId};
use crate::domain::proof::{AccessProof, Grant};
use crate::domain::wire::{AddEvent, EventAdded, Page, PageQuery};
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Found, Json, Params, Proofs, Scope, Viewed};
use crate::server::paging::after;

/// Adds an event: a claim of a client, kept as such.
#[utoipa::path(
    post, path = "/transfers/id/{transfer_id}/events/add", tag = "audit",
    params(
        ("transfer_id" = TransferId, Path),
        ("x-sgsend-access" = inline(Option<AccessProof>), Header),
        ("x-sgsend-grant" = inline(Option<Grant>), Header),
    ),
    request_body = AddEvent,
    responses((status = 201, body = EventAdded))
)]
pub(super) async fn add(
    State(app): State<AppState>,
    scope: Scope,
    Found(transfer): Found,
    proofs: Proofs,
    Json(event): Json<AddEvent>,
) -> Result<(StatusCode, Answer<EventAdded>), Refusal> {
    let (access, grant) = (proofs.access.as_ref(), proofs.grant.as_ref());
    let added = app.transfers.add_event(&scope, &transfer, event.kind, access, grant).await?;
    Ok((StatusCode::CREATED, Answer(added)))
}

/// Lists what happened to a transfer, oldest first. Only its sender's token shows who claimed it.
#[utoipa::path(
    get, path = "/transfers/id/{transfer_id}/events/list", tag = "audit",
    params(("transfer_id" = TransferId, Path), ("after" = Option<RecordId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = Page<Record>)),
    security((), ("sender_token" = []))
)]
pub(super) async fn list_events(
    State(app): State<AppState>,
    viewed: Viewed,
    Params(query): Params<PageQuery>,
) -> Result<Answer<Page<Record>>, Refusal> {
    list(&app, &viewed, RecordKind::Event, &query).await
}

/// Lists what requests did to a transfer, oldest first.
#[utoipa::path(
    get, path = "/transfers/id/{transfer_id}/actions/list", tag = "audit",
    params(("transfer_id" = TransferId, Path), ("after" = Option<RecordId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = Page<Record>)),
    security((), ("sender_token" = []))
)]
pub(super) async fn list_actions(
    State(app): State<AppState>,
    viewed: Viewed,
    Params(query): Params<PageQuery>,
) -> Result<Answer<Page<Record>>, Refusal> {
    list(&app, &viewed, RecordKind::Action, &query).await
}

async fn list(
    app: &AppState,
    viewed: &Viewed,
    kind: RecordKind,
    query: &PageQuery,
) -> Result<Answer<Page<Record>>, Refusal> {
    let id = viewed.transfer.transfer_id;
    let mut page = app.transfers.list_records(id, kind, after(query)?, query.limit).await?;
    if !viewed.by_sender {
        page.items = page.items.into_iter().map(Record::without_client).collect();
    }
    Ok(Answer(page))
}
