//! `POST /transfers/id/{transfer_id}/payload/upload-bytes`

use std::pin::pin;

use axum::Json as JsonResponse;
use axum::body::Body;
use axum::extract::State;
use futures_util::TryStreamExt;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::transfers::{BodyError, PayloadChunk};
use crate::domain::wire::Received;
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Params, Scope, UploadedTransfer};
use crate::server::state::AppState;

/// Query parameter with the start of the uploaded bytes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// Byte offset in the payload of the first byte in this request, as returned by `upload/status`.
    #[param(default = 0)]
    offset: Option<u64>,
}

/// Uploads payload bytes.
///
/// An incomplete payload leaves the transfer pending; a further request resumes at the end of the received bytes.
#[utoipa::path(
    post, operation_id = "upload_payload", path = "/transfers/id/{transfer_id}/payload/upload-bytes", tag = "transfers",
    params(("transfer_id" = TransferId, Path), ("x-sgsend-guest" = inline(Option<GuestProof>), Header), UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Received)),
    security(("sender_token" = []))
)]
pub(super) async fn upload_bytes(
    State(app): State<AppState>,
    scope: Scope,
    UploadedTransfer { transfer, .. }: UploadedTransfer,
    Params(query): Params<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<JsonResponse<Received>, ApiError> {
    let length = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap_or_default().parse::<u64>());
    let length = length.transpose().map_err(|_| Error::InvalidRequest("content-length is not a number".to_owned()))?;
    let body = pin!(body.into_data_stream().map_err(body_error));
    let upload = PayloadChunk { offset: query.offset.unwrap_or(0), length, body };
    Ok(JsonResponse(app.transfers.upload(&scope, &transfer, upload).await?))
}

fn body_error(error: axum::Error) -> BodyError {
    error.into_inner().downcast::<BodyError>().map_or(BodyError::ConnectionLost, |error| *error)
}
