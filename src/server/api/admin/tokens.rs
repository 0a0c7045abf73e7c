//! `/tokens/…`: creates, lists, changes and revokes sender tokens.

use axum::Json as JsonResponse;
use axum::extract::State;
use http::StatusCode;

use super::token_notifications::{check_available, new_secret};
use crate::domain::id::TokenId;
use crate::domain::wire::{
    CreateToken, CreatedToken, Empty, Page, PageQuery, SetNotifications, TokenItem, UpdateToken, UpdatedToken,
};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Admin, Id, Json, KnownToken, Params, Scope};
use crate::server::api::paging::after;
use crate::server::state::AppState;

/// Creates a sender token. Only this response contains the token itself.
#[utoipa::path(
    post, operation_id = "create_token", path = "/tokens/create", tag = "tokens",
    request_body = CreateToken,
    responses((status = 201, body = CreatedToken)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn create(
    State(app): State<AppState>,
    scope: Scope,
    _: Admin,
    Json(request): Json<CreateToken>,
) -> Result<(StatusCode, JsonResponse<CreatedToken>), ApiError> {
    check_available(&app, request.notifications.as_ref())?;
    let (token, plain) = app.tokens.create(&scope, request).await?;
    let item = TokenItem::of(&token, app.now());
    let webhook_secret = new_secret(&app, &item, true);
    Ok((StatusCode::CREATED, JsonResponse(CreatedToken { item, token: plain.to_text().to_string(), webhook_secret })))
}

/// Lists sender tokens.
#[utoipa::path(
    get, operation_id = "list_tokens", path = "/tokens/list", tag = "tokens",
    params(("after" = Option<TokenId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = Page<TokenItem>)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn list(
    State(app): State<AppState>,
    _: Admin,
    Params(query): Params<PageQuery>,
) -> Result<JsonResponse<Page<TokenItem>>, ApiError> {
    Ok(JsonResponse(app.tokens.list(after(&query)?, query.limit).await?))
}

/// Changes a sender token: its name, its expiry, its limits or its notifications. Absent members stay as they are.
///
/// A limit below the current use rejects new transfers, and leaves existing ones as they are.
#[utoipa::path(
    post, operation_id = "update_token", path = "/tokens/id/{token_id}/update", tag = "tokens",
    params(("token_id" = TokenId, Path)),
    request_body = UpdateToken,
    responses((status = 200, body = UpdatedToken)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn update(
    State(app): State<AppState>,
    scope: Scope,
    Id(id): Id<TokenId>,
    _: Admin,
    KnownToken: KnownToken,
    Json(request): Json<UpdateToken>,
) -> Result<JsonResponse<UpdatedToken>, ApiError> {
    check_available(&app, request.notifications.as_ref())?;
    let sets_webhook = request.notifications.as_ref().is_some_and(SetNotifications::sets_webhook);
    let item = app.tokens.update(&scope, id, request).await?;
    let webhook_secret = new_secret(&app, &item, sets_webhook);
    Ok(JsonResponse(UpdatedToken { item, webhook_secret }))
}

/// Revokes a sender token. Idempotent: a repeated call returns the same response.
#[utoipa::path(
    post, operation_id = "revoke_token", path = "/tokens/id/{token_id}/revoke", tag = "tokens",
    params(("token_id" = TokenId, Path)),
    request_body = Empty,
    responses((status = 200, body = TokenItem)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn revoke(
    State(app): State<AppState>,
    scope: Scope,
    Id(id): Id<TokenId>,
    _: Admin,
    KnownToken: KnownToken,
    Json(Empty {}): Json<Empty>,
) -> Result<JsonResponse<TokenItem>, ApiError> {
    Ok(JsonResponse(app.tokens.revoke(&scope, id).await?))
}
