//! `GET /token/status`

use axum::Json as Answer;
use axum::extract::State;

use crate::domain::wire::TokenItem;
use crate::server::app::AppState;
use crate::server::extract::Sender;

/// Tells the holder of a sender token what it may still be used for.
#[utoipa::path(
    get, path = "/token/status", tag = "tokens",
    responses((status = 200, body = TokenItem)),
    security(("sender_token" = []))
)]
pub(super) async fn token_status(State(app): State<AppState>, Sender(token): Sender) -> Answer<TokenItem> {
    Answer(TokenItem::of(&token, app.now()))
}
