//! `POST /transfers/id/{transfer_id}/upload/create-presign-urls`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::wire::UploadInstruction;
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Json, Owned};

/// The parts to sign URLs for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartNumbers {
    /// Their numbers, from 1.
    #[expect(dead_code, reason = "its form is checked; only a store that presigns has parts")]
    numbers: Vec<u32>,
}

/// Signs upload URLs, where the store lets clients send to it: 409 `wrong_mode` where bytes go through this service.
#[utoipa::path(
    post, path = "/transfers/id/{transfer_id}/upload/create-presign-urls", tag = "transfers",
    params(("transfer_id" = TransferId, Path)),
    request_body = PartNumbers,
    responses((status = 200, body = UploadInstruction)),
    security(("sender_token" = []))
)]
pub(super) async fn create_presign_urls(
    State(app): State<AppState>,
    Owned(transfer): Owned,
    Json(_): Json<PartNumbers>,
) -> Result<(), Refusal> {
    transfer.check_pending(app.now())?;
    Err(Error::WrongMode.into())
}
