//! `GET /token/status`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::wire::TokenItem;
use crate::server::api::extract::Sender;
use crate::server::state::AppState;

/// Returns the limits and the current usage of the sender token in the request.
#[utoipa::path(
    get, operation_id = "get_token_status", path = "/token/status", tag = "tokens",
    responses((status = 200, body = TokenItem)),
    security(("sender_token" = []))
)]
pub(super) async fn token_status(State(app): State<AppState>, Sender(token): Sender) -> JsonResponse<TokenItem> {
    JsonResponse(TokenItem::of(&token, app.now()))
}
