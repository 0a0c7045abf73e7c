//! `sgsend delete`: deletes a transfer, or closes a further link.

use anyhow::Result;
use clap::Args;

use super::history;
use super::link::{self, SentTransfer};
use super::status::state_text;
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::client::Api;
use crate::client::download::GrantFile;
use crate::client::upload::UnfinishedUpload;

/// Arguments of `sgsend delete`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Link, id of a transfer on the current server, or - for stdin [default: ask for it]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
}

/// Runs `sgsend delete`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let target = LinkArgument::read(arguments.link.as_ref(), context).await?;
    let api = context.sender_api(target.base_url.clone()).await?;
    let status = match context.first_call(|| api.delete(target.id)).await {
        Err(error) if error.transfer_of_link().is_some() => return revoke(api, target, context).await,
        status => status?,
    };
    history::record_end(status.transfer_id, status.status, None);
    // The saved state of an unfinished upload or download is useless now.
    if let Some(uploads) = paths::uploads_directory() {
        UnfinishedUpload::forget(&uploads, target.id);
    }
    GrantFile::new(paths::downloads_directory().as_deref(), &target.base_url, target.id).forget();
    if context.printer.is_json() {
        context.printer.json_of(&status)?;
    } else {
        context.printer.note(&format!("transfer {} is {}", status.transfer_id, state_text(status.status)));
    }
    Ok(())
}

/// Closes a further link: the transfer belongs to other recipients too.
async fn revoke(api: Api, target: LinkArgument, context: &Context) -> Result<()> {
    let transfer = SentTransfer::find(api, target, context).await?;
    link::revoke(&transfer, context).await?;
    context
        .printer
        .note(&format!("the transfer and its other links stay; delete all with: sgsend delete {}", transfer.id));
    Ok(())
}
