//! `POST /transfers/id/{transfer_id}/links/…` and `…/update`: the links of a transfer, for its sender.

use axum::Json as JsonResponse;
use axum::extract::State;
use http::StatusCode;

use super::create::page_url;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::wire::{CreateLink, CreatedLink, Empty, LinkItem, LinkPage, LinkPageQuery, UpdateLink};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Json, LinkInPath, OwnedTransfer, Scope};
use crate::server::state::AppState;

/// Creates a further link of a transfer, also before its upload is complete.
///
/// Idempotent: a repeated request with the same body returns the same link.
#[utoipa::path(
    post, operation_id = "create_link", path = "/transfers/id/{transfer_id}/links/create", tag = "links",
    params(("transfer_id" = TransferId, Path)),
    request_body = CreateLink,
    responses((status = 201, body = CreatedLink)),
    security(("sender_token" = []))
)]
pub(super) async fn create(
    State(app): State<AppState>,
    scope: Scope,
    OwnedTransfer(transfer): OwnedTransfer,
    Json(request): Json<CreateLink>,
) -> Result<(StatusCode, JsonResponse<CreatedLink>), ApiError> {
    let link = app.transfers.create_link(&scope, transfer, &request).await?;
    let created = CreatedLink { link: app.transfers.link_item(&link), page_url: page_url(&app, link.id()) };
    Ok((StatusCode::CREATED, JsonResponse(created)))
}

/// Lists the links of a transfer: its own link, then the further links in the order of their creation.
#[utoipa::path(
    post, operation_id = "list_links", path = "/transfers/id/{transfer_id}/links/list", tag = "links",
    params(("transfer_id" = TransferId, Path)),
    request_body = LinkPageQuery,
    responses((status = 200, body = LinkPage)),
    security(("sender_token" = []))
)]
pub(super) async fn list(
    State(app): State<AppState>,
    OwnedTransfer(transfer): OwnedTransfer,
    Json(query): Json<LinkPageQuery>,
) -> Result<JsonResponse<LinkPage>, ApiError> {
    Ok(JsonResponse(app.transfers.list_links(&transfer, query).await?))
}

/// Changes expiry or download limit of a transfer's own link.
#[utoipa::path(
    post, operation_id = "update_transfer", path = "/transfers/id/{transfer_id}/update", tag = "links",
    params(("transfer_id" = TransferId, Path)),
    request_body = UpdateLink,
    responses((status = 200, body = LinkItem)),
    security(("sender_token" = []))
)]
pub(super) async fn update_own(
    State(app): State<AppState>,
    scope: Scope,
    OwnedTransfer(transfer): OwnedTransfer,
    Json(request): Json<UpdateLink>,
) -> Result<JsonResponse<LinkItem>, ApiError> {
    let link = app.transfers.update_link(&scope, transfer.into(), &request).await?;
    Ok(JsonResponse(app.transfers.link_item(&link)))
}

/// Changes expiry or download limit of a link, to less or more. Never revives a link that has ended.
#[utoipa::path(
    post, operation_id = "update_link", path = "/transfers/id/{transfer_id}/links/id/{link_id}/update", tag = "links",
    params(("transfer_id" = TransferId, Path), ("link_id" = LinkId, Path)),
    request_body = UpdateLink,
    responses((status = 200, body = LinkItem)),
    security(("sender_token" = []))
)]
pub(super) async fn update(
    State(app): State<AppState>,
    scope: Scope,
    OwnedTransfer(transfer): OwnedTransfer,
    LinkInPath(id): LinkInPath,
    Json(request): Json<UpdateLink>,
) -> Result<JsonResponse<LinkItem>, ApiError> {
    let link = app.transfers.link_of(&scope, transfer, id).await?;
    let link = app.transfers.update_link(&scope, link, &request).await?;
    Ok(JsonResponse(app.transfers.link_item(&link)))
}

/// Closes a link in any state. Idempotent. The transfer ends with its last link.
#[utoipa::path(
    post, operation_id = "revoke_link", path = "/transfers/id/{transfer_id}/links/id/{link_id}/revoke", tag = "links",
    params(("transfer_id" = TransferId, Path), ("link_id" = LinkId, Path)),
    request_body = Empty,
    responses((status = 200, body = LinkItem)),
    security(("sender_token" = []))
)]
pub(super) async fn revoke(
    State(app): State<AppState>,
    scope: Scope,
    OwnedTransfer(transfer): OwnedTransfer,
    LinkInPath(id): LinkInPath,
    Json(Empty {}): Json<Empty>,
) -> Result<JsonResponse<LinkItem>, ApiError> {
    let link = app.transfers.link_of(&scope, transfer, id).await?;
    let link = app.transfers.revoke_link(&scope, link).await?;
    Ok(JsonResponse(app.transfers.link_item(&link)))
}
