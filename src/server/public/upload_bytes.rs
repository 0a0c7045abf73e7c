//! `POST /transfers/id/{transfer_id}/payload/upload-bytes`

use std::pin::pin;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use futures_util::TryStreamExt;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::transfers::{BodyError, Upload};
use crate::domain::wire::Received;
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Owned, Params, Scope};

/// Where the bytes begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// Where in the payload the bytes of this request begin: where `upload/status` says that it stopped.
    #[param(default = 0)]
    offset: Option<u64>,
}

/// Sends bytes of the payload.
///
/// Fewer bytes than are missing leave the transfer pending: a further request goes on where they end.
#[utoipa::path(
    post, path = "/transfers/id/{transfer_id}/payload/upload-bytes", tag = "transfers",
    params(("transfer_id" = TransferId, Path), From),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Received)),
    security(("sender_token" = []))
)]
pub(super) async fn upload_bytes(
    State(app): State<AppState>,
    scope: Scope,
    Owned(transfer): Owned,
    Params(from): Params<From>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer<Received>, Refusal> {
    let length = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap_or_default().parse::<u64>());
    let length = length.transpose().map_err(|_| Error::InvalidRequest("content-length is not a number".to_owned()))?;
    let body = pin!(body.into_data_stream().map_err(why_ended));
    let upload = Upload { offset: from.offset.unwrap_or(0), length, body };
    Ok(Answer(app.transfers.upload(&scope, &transfer, upload).await?))
}

fn why_ended(error: axum::Error) -> BodyError {
    error.into_inner().downcast::<BodyError>().map_or(BodyError::Broken, |error| *error)
}
