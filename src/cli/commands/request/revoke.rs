//! `sgsend request revoke`: ends a request.

use anyhow::Result;
use clap::Args;

use super::{status_text, transfers_text};
use crate::cli::context::Context;
use crate::domain::id::TokenId;

/// Arguments of `sgsend request revoke`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the request, as `sgsend request list` shows it
    id: TokenId,
}

/// Runs `sgsend request revoke`.
pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<()> {
    let api = context.sender_api(context.server()?).await?;
    let item = context.first_call(|| api.revoke_request(arguments.id)).await?;
    if context.printer.is_json() {
        return Ok(context.printer.json_of(&item)?);
    }
    let (status, transfers) = (status_text(item.status), transfers_text(&item));
    context.printer.note(&format!("request {} is {status}; transfers: {transfers}", item.token_id));
    Ok(())
}
