//! `POST /transfers/id/{transfer_id}/download/create-presign-url`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::transfers::CreatedDownload;
use crate::domain::wire::{DownloadRequest, DownloadResponse, Transparency};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{AnyLink, Json, Proofs, Scope};
use crate::server::state::AppState;

/// Counts a download and returns the URL of the payload.
///
/// The first call with a grant counts one download; retries with the same grant do not count again.
#[utoipa::path(
    post, operation_id = "start_download", path = "/transfers/id/{transfer_id}/download/create-presign-url", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-access" = inline(Option<AccessProof>), Header)),
    request_body = DownloadRequest,
    responses((status = 200, body = DownloadResponse))
)]
pub(super) async fn create_presign_url(
    State(app): State<AppState>,
    scope: Scope,
    AnyLink(link): AnyLink,
    proofs: Proofs,
    Json(request): Json<DownloadRequest>,
) -> Result<JsonResponse<DownloadResponse>, ApiError> {
    let chosen = request.grant.map(|grant| grant.parse::<Grant>()).transpose();
    let chosen = chosen.map_err(|error| Error::InvalidRequest(format!("grant: {error}")))?;
    let CreatedDownload { grant, record, url } =
        app.transfers.create_download(&scope, &link, proofs.access.as_ref(), chosen).await?;
    Ok(JsonResponse(DownloadResponse {
        mode: url.flow,
        method: "GET".to_owned(),
        url: url.url,
        url_expires_at: url.expires_at,
        fallback_url: url.fallback_url,
        grant: grant.to_text().to_string(),
        grant_expires_at: record.expires_at,
        size_bytes: link.transfer.size_bytes,
        transparency: Transparency::for_recipient(app.transfers.settings().ip_mode, url.flow),
    }))
}
