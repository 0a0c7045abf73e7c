//! `GET /transfers/id/{transfer_id}/keys`

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::CONTENT_TYPE;

use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::server::api::error::ApiError;
use crate::server::api::extract::AnyLink;
use crate::server::state::AppState;

/// Returns the payload key, wrapped for recipients: an age file of at most 16 KiB.
///
/// Needs only the id: the file opens with the private key of a recipient, and with nothing else.
#[utoipa::path(
    get, operation_id = "get_keys", path = "/transfers/id/{transfer_id}/keys", tag = "transfers",
    params(("transfer_id" = TransferId, Path)),
    responses((
        status = 200, body = Vec<u8>, content_type = "application/octet-stream",
        description = "The payload key, wrapped for recipients: an age file.",
    ))
)]
pub(super) async fn keys(State(app): State<AppState>, AnyLink(link): AnyLink) -> Result<Response, ApiError> {
    let keys = app.transfers.wrapped_keys(&link)?.to_bytes();
    let response = Response::builder().header(CONTENT_TYPE, "application/octet-stream").body(Body::from(keys));
    Ok(response.map_err(|error| Error::Internal(error.into()))?)
}
