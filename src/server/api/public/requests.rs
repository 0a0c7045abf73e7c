//! `POST /requests/…`: the requests of a sender token.

use axum::Json as JsonResponse;
use axum::extract::State;
use http::StatusCode;

use super::create::absolute;
use crate::domain::id::TokenId;
use crate::domain::wire::{CreateRequest, CreatedRequest, Empty, RequestItem, RequestList};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Id, Json, Scope, Sender};
use crate::server::state::AppState;

/// Creates a request: a limited token with which guests upload to the holder of the sender token.
///
/// The transfers and bytes of guests count in the quotas of both tokens. A request ends with the sender token.
/// Idempotent: the digest of an existing request returns that request.
#[utoipa::path(
    post, operation_id = "create_request", path = "/requests/create", tag = "requests",
    request_body = CreateRequest,
    responses((status = 201, body = CreatedRequest)),
    security(("sender_token" = []))
)]
pub(super) async fn create(
    State(app): State<AppState>,
    scope: Scope,
    Sender(token): Sender,
    Json(request): Json<CreateRequest>,
) -> Result<(StatusCode, JsonResponse<CreatedRequest>), ApiError> {
    let request = app.tokens.create_request(&scope, &token, &request).await?;
    let page_url = absolute(&app, &format!("/r/{}", request.token_id));
    Ok((StatusCode::CREATED, JsonResponse(CreatedRequest { request, page_url })))
}

/// Lists the requests of the sender token, newest first.
///
/// Requests that have ended are listed until their place is needed for new ones.
#[utoipa::path(
    post, operation_id = "list_requests", path = "/requests/list", tag = "requests",
    request_body = Empty,
    responses((status = 200, body = RequestList)),
    security(("sender_token" = []))
)]
pub(super) async fn list(
    State(app): State<AppState>,
    Sender(token): Sender,
    Json(Empty {}): Json<Empty>,
) -> Result<JsonResponse<RequestList>, ApiError> {
    Ok(JsonResponse(RequestList { items: app.tokens.list_requests(&token).await? }))
}

/// Revokes a request. Idempotent. Transfers that guests have uploaded stay until they expire or are deleted.
#[utoipa::path(
    post, operation_id = "revoke_request", path = "/requests/id/{token_id}/revoke", tag = "requests",
    params(("token_id" = TokenId, Path)),
    request_body = Empty,
    responses((status = 200, body = RequestItem)),
    security(("sender_token" = []))
)]
pub(super) async fn revoke(
    State(app): State<AppState>,
    scope: Scope,
    Id(id): Id<TokenId>,
    Sender(token): Sender,
    Json(Empty {}): Json<Empty>,
) -> Result<JsonResponse<RequestItem>, ApiError> {
    Ok(JsonResponse(app.tokens.revoke_request(&scope, &token, id).await?))
}
