//! `sgsend link revoke`: closes a link.

use anyhow::Result;
use clap::Args;

use super::SentTransfer;
use crate::cli::commands::history;
use crate::cli::commands::status::state_text;
use crate::cli::context::Context;
use crate::cli::input::secret::SecretText;

/// Arguments of `sgsend link revoke`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Link, id of a link, or - for stdin [default: ask for it]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
}

/// Runs `sgsend link revoke`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let transfer = SentTransfer::read(arguments.link.as_ref(), context).await?;
    revoke(&transfer, context).await
}

/// Closes the given link of `transfer`, and says so.
pub(crate) async fn revoke(transfer: &SentTransfer, context: &Context) -> Result<()> {
    let item = context.first_call(|| transfer.api.revoke_link(transfer.id, transfer.link_id)).await?;
    history::record_end(item.link_id.as_transfer(), item.status, Some(&transfer.base_url));
    if context.printer.is_json() {
        return Ok(context.printer.json_of(&item)?);
    }
    let name = transfer.name_of(&item, None).map(|name| format!(" of {name}")).unwrap_or_default();
    context.printer.note(&format!("the link{name} ({}) is {}", item.link_id, state_text(item.status)));
    Ok(())
}
