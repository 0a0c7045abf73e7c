//! `POST /transfers/create`

use axum::Json as JsonResponse;
use axum::extract::State;
use http::StatusCode;

use crate::domain::id::LinkId;
use crate::domain::transfers::NewTransfer;
use crate::domain::wire::{CreateTransfer, CreatedTransfer};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Json, Scope, Sender};
use crate::server::state::{App, AppState};

/// Creates a transfer.
///
/// Idempotent: a retry with the same `idempotency_key` and token returns the same transfer.
#[utoipa::path(
    post, operation_id = "create_transfer", path = "/transfers/create", tag = "transfers",
    request_body = CreateTransfer,
    responses((status = 201, body = CreatedTransfer)),
    security(("sender_token" = []))
)]
pub(super) async fn create(
    State(app): State<AppState>,
    scope: Scope,
    Sender(token): Sender,
    Json(request): Json<CreateTransfer>,
) -> Result<(StatusCode, JsonResponse<CreatedTransfer>), ApiError> {
    let NewTransfer { transfer, upload } = app.transfers.create(&scope, &token, &request).await?;
    let id = transfer.transfer_id;
    let created = CreatedTransfer {
        transfer_id: id,
        status: transfer.state_at(app.now()).status(),
        size_bytes: transfer.size_bytes,
        created_at: transfer.created_at,
        expires_at: transfer.expires_at,
        max_downloads: transfer.max_downloads,
        page_url: page_url(&app, id.into()),
        mode: app.transfers.mode(),
        upload,
    };
    Ok((StatusCode::CREATED, JsonResponse(created)))
}

/// Returns the URL of the recipient page: absolute if the public base URL is configured, else a path.
pub(super) fn page_url(app: &App, id: LinkId) -> String {
    let path = format!("/d/{id}");
    app.public_url.as_ref().map_or_else(|| path.clone(), |root| root.join(&path).to_string())
}
