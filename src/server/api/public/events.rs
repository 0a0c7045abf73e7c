//! `/transfers/id/{transfer_id}/events/…` and `…/actions/list`: the audit trail of a transfer.

use axum::Json as JsonResponse;
use axum::extract::State;
use http::StatusCode;

use crate::domain::audit::{Record, RecordKind};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::id::{RecordId, TransferId};
use crate::domain::wire::{AddEvent, EventAdded, PageQuery, RecordPage};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{AnyLink, Json, Params, Proofs, Scope, VisibleLink};
use crate::server::api::paging::after;
use crate::server::state::AppState;

/// Adds an event reported by a client. Recorded as a claim, unverified.
#[utoipa::path(
    post, operation_id = "add_event", path = "/transfers/id/{transfer_id}/events/add", tag = "audit",
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
    AnyLink(link): AnyLink,
    proofs: Proofs,
    Json(event): Json<AddEvent>,
) -> Result<(StatusCode, JsonResponse<EventAdded>), ApiError> {
    let (access, grant) = (proofs.access.as_ref(), proofs.grant.as_ref());
    let added = app.transfers.add_event(&scope, &link, event.kind, access, grant).await?;
    Ok((StatusCode::CREATED, JsonResponse(added)))
}

/// Lists the events of a transfer, oldest first.
///
/// The clients that reported the events, and the events of further links, are shown only with the sender's token. Under the
/// id of a further link, the list has the events of that link, and needs its access proof or the token.
#[utoipa::path(
    get, operation_id = "list_events", path = "/transfers/id/{transfer_id}/events/list", tag = "audit",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-access" = inline(Option<AccessProof>), Header), ("after" = Option<RecordId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = RecordPage)),
    security((), ("sender_token" = []))
)]
pub(super) async fn list_events(
    State(app): State<AppState>,
    viewed: VisibleLink,
    Params(query): Params<PageQuery>,
) -> Result<JsonResponse<RecordPage>, ApiError> {
    list(&app, &viewed, RecordKind::Event, &query).await
}

/// Lists the actions on a transfer by API requests, oldest first.
///
/// Under the id of a further link, as with `events/list`. Reads and rejected requests are shown only with the sender's token, and reads by an admin only on the admin service. A
/// page may therefore have fewer items than its limit: `next` tells whether there are more.
#[utoipa::path(
    get, operation_id = "list_actions", path = "/transfers/id/{transfer_id}/actions/list", tag = "audit",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-access" = inline(Option<AccessProof>), Header), ("after" = Option<RecordId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = RecordPage)),
    security((), ("sender_token" = []))
)]
pub(super) async fn list_actions(
    State(app): State<AppState>,
    viewed: VisibleLink,
    Params(query): Params<PageQuery>,
) -> Result<JsonResponse<RecordPage>, ApiError> {
    list(&app, &viewed, RecordKind::Action, &query).await
}

async fn list(
    app: &AppState,
    viewed: &VisibleLink,
    kind: RecordKind,
    query: &PageQuery,
) -> Result<JsonResponse<RecordPage>, ApiError> {
    let (link, after) = (&viewed.link, after(query)?);
    let mut page = if viewed.by_sender && link.further.is_none() {
        app.transfers.list_records(&link.transfer, kind, after, query.limit).await?
    } else {
        app.transfers.list_records_of_link(link, kind, after, query.limit).await?
    };
    page.items.retain(|record| record.is_listed(viewed.by_sender));
    if !viewed.by_sender {
        page.items = page.items.into_iter().map(Record::without_client).collect();
    }
    Ok(JsonResponse(page))
}
