//! `POST /transfers/create`

use axum::Json as JsonResponse;
use axum::extract::State;
use http::StatusCode;

use crate::domain::crypto::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::id::LinkId;
use crate::domain::token::AuthenticatedToken;
use crate::domain::transfer::Guest;
use crate::domain::transfers::NewTransfer;
use crate::domain::wire::{CreateTransfer, CreatedTransfer};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{GuestDigest, Json, Scope, Uploader};
use crate::server::state::{App, AppState};

/// Creates a transfer.
///
/// Idempotent: a retry with the same `idempotency_key` and token returns the same transfer.
///
/// With the token of a request, `x-sgsend-guest` is required: the SHA-256 of the guest proof that the other calls for
/// the upload then need; `max_downloads`, `own_link` and `notify` are refused. With the token of a sender, the header is
/// ignored.
#[utoipa::path(
    post, operation_id = "create_transfer", path = "/transfers/create", tag = "transfers",
    params(("x-sgsend-guest" = inline(Option<Sha256>), Header)),
    request_body = CreateTransfer,
    responses((status = 201, body = CreatedTransfer)),
    security(("sender_token" = []))
)]
pub(super) async fn create(
    State(app): State<AppState>,
    scope: Scope,
    Uploader(AuthenticatedToken { token, owner }): Uploader,
    GuestDigest(guest): GuestDigest,
    Json(request): Json<CreateTransfer>,
) -> Result<(StatusCode, JsonResponse<CreatedTransfer>), ApiError> {
    let NewTransfer { transfer, upload } = match (&owner, guest) {
        (None, _) => app.transfers.create(&scope, &token, &request).await?,
        (Some(owner), Some(proof_sha256)) => {
            app.transfers.create_as_guest(&scope, &token, Guest { owner, proof_sha256 }, &request).await?
        }
        (Some(_), None) => {
            let missing = "x-sgsend-guest is required with the token of a request".to_owned();
            return Err(Error::InvalidRequest(missing).into());
        }
    };
    let id = transfer.transfer_id;
    let created = CreatedTransfer {
        transfer_id: id,
        status: transfer.state_at(app.now()).status(),
        size_bytes: transfer.size_bytes,
        created_at: transfer.created_at,
        expires_at: transfer.own_link.expires_at,
        max_downloads: transfer.own_link.max_downloads,
        page_url: page_url(&app, id.into()),
        mode: app.transfers.mode(),
        upload,
    };
    Ok((StatusCode::CREATED, JsonResponse(created)))
}

/// Returns the URL of the recipient page: absolute if the public base URL is configured, else a path.
pub(super) fn page_url(app: &App, id: LinkId) -> String {
    absolute(app, &format!("/d/{id}"))
}

/// Returns a path of this service: absolute if the public base URL is configured.
pub(super) fn absolute(app: &App, path: &str) -> String {
    app.public_url.as_ref().map_or_else(|| path.to_owned(), |root| root.join(path).to_string())
}
