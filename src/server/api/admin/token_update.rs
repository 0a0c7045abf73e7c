//! `POST /tokens/id/{token_id}/update`, and what it shares with the creation of a token.

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::token::Token;
use crate::domain::wire::{SetNotifications, TokenItem, UpdateToken, UpdatedToken};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Admin, Id, Json, KnownToken, Scope};
use crate::server::state::{App, AppState};

/// Changes a token; absent members stay as they are.
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
    let token = app.tokens.update(&scope, id, request).await?;
    let webhook_secret = sets_webhook.then(|| webhook_secret(&app, &token)).flatten();
    Ok(JsonResponse(UpdatedToken { item: TokenItem::of(&token, app.now()), webhook_secret }))
}

/// Checks that the server can send the notifications that a request sets.
///
/// # Errors
/// [`Error::NotificationsUnavailable`] with the name of the missing setting.
pub(super) fn check_available(app: &App, change: Option<&SetNotifications>) -> Result<(), Error> {
    let unavailable = |setting| Err(Error::NotificationsUnavailable { setting });
    match change {
        Some(change) if change.sets_webhook() && !app.notifier.has_key() => unavailable("--webhook-key-file"),
        Some(change) if change.sets_email() && !app.notifier.has_mailer() => unavailable("--smtp-url"),
        _ => Ok(()),
    }
}

/// Returns the secret of a token's webhook.
pub(super) fn webhook_secret(app: &App, token: &Token) -> Option<String> {
    let target = token.notifications.webhook.as_ref()?;
    Some(app.notifier.secret(target.target_id)?.to_text().to_string())
}
