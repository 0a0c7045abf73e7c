//! `sgsend token revoke`

use anyhow::Result;
use clap::Args;

use super::super::context::Context;
use super::super::escape;
use super::status_text;
use crate::domain::id::TokenId;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {
    /// Which token: the 16 hex digits behind its sgs_
    token_id: TokenId,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let item = context.admin_api().await?.revoke_token(arguments.token_id).await?;
    if context.printer.is_json() {
        context.printer.json_of(&item)?;
    } else {
        let name = escape::one_line(&item.name).into_owned();
        context.printer.note(&format!("token {} ({name}) is {}", item.token_id, status_text(item.status)));
    }
    Ok(())
}
