//! `/tokens/…`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;

use crate::domain::id::TokenId;
use crate::domain::wire::{CreateToken, CreatedToken, Empty, Page, PageQuery, TokenItem};
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Admin, Id, Json, KnownToken, Params, Scope};
use crate::server::paging::after;

/// Creates a sender token. Its answer is the only time that it is shown.
#[utoipa::path(
    post, path = "/tokens/create", tag = "tokens",
    request_body = CreateToken,
    responses((status = 201, body = CreatedToken)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn create(
    State(app): State<AppState>,
    scope: Scope,
    _: Admin,
    Json(wanted): Json<CreateToken>,
) -> Result<(StatusCode, Answer<CreatedToken>), Refusal> {
    let (token, plain) = app.tokens.create(&scope, wanted).await?;
    let item = TokenItem::of(&token, app.now());
    Ok((StatusCode::CREATED, Answer(CreatedToken { item, token: plain.to_text().to_string() })))
}

/// Lists sender tokens.
#[utoipa::path(
    get, path = "/tokens/list", tag = "tokens",
    params(("after" = Option<TokenId>, Query, description = "The id of the item after which the page begins"), PageQuery),
    responses((status = 200, body = Page<TokenItem>)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn list(
    State(app): State<AppState>,
    _: Admin,
    Params(query): Params<PageQuery>,
) -> Result<Answer<Page<TokenItem>>, Refusal> {
    Ok(Answer(app.tokens.list(after(&query)?, query.limit).await?))
}

/// Revokes a sender token, again and again with the same answer.
#[utoipa::path(
    post, path = "/tokens/id/{token_id}/revoke", tag = "tokens",
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
) -> Result<Answer<TokenItem>, Refusal> {
    Ok(Answer(app.tokens.revoke(&scope, id).await?))
}
