//! `sgsend delete`: deletes a transfer, or closes a further link.

use anyhow::Result;
use clap::Args;

use super::history;
use super::link::{self, SentTransfer};
use super::status::state_text;
use crate::cli::config::guest_uploads::GuestUploads;
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::request_link::request_link;
use crate::cli::input::secret::SecretText;
use crate::client::Api;
use crate::client::download::GrantFile;
use crate::client::upload::UnfinishedUpload;
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::wire::TransferStatus;

/// Arguments of `sgsend delete`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Link, id of a transfer on the current server, or - for stdin [default: ask for it]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
    /// Delete an upload of this user for the request with this link. Others can see arguments: - reads the link from stdin
    ///
    /// Possible on the machine that uploaded, with the id of the transfer, until it was downloaded.
    #[arg(long, value_name = "LINK|-", requires = "link")]
    request: Option<SecretText>,
}

/// Runs `sgsend delete`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let target = LinkArgument::read(arguments.link.as_ref(), context).await?;
    if let Some(request) = &arguments.request {
        return Box::pin(delete_as_guest(target.id, request, context)).await;
    }
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
    print(&status, context)
}

fn print(status: &TransferStatus, context: &Context) -> Result<()> {
    if context.printer.is_json() {
        context.printer.json_of(status)?;
    } else {
        context.printer.note(&format!("transfer {} is {}", status.transfer_id, state_text(status.status)));
    }
    Ok(())
}

/// Deletes an upload for a request, with the proof that this machine keeps of it.
async fn delete_as_guest(id: TransferId, request: &SecretText, context: &Context) -> Result<()> {
    let link = request_link(request, context).await?;
    let uploads = GuestUploads::of_user();
    let proof = uploads.proof_of(id).ok_or_else(|| {
        let message = format!("this machine has no record of an upload {id} for a request");
        Failure::new(Exit::NotFound, "guest_upload_unknown", message)
            .hint("run the command as the user and on the machine that uploaded, or ask the recipient to delete it")
    })?;
    let api = context.api_with_token(link.base_url.clone(), link.token())?.as_guest(proof);
    let status = context.first_call(|| api.delete(id)).await.map_err(|error| {
        let is_ended = matches!(error.code(), Some(ErrorCode::TokenRevoked | ErrorCode::TokenExpired));
        let failure = Failure::of(&error.into());
        if is_ended {
            let message = "the request has ended, so only the recipient can delete what was sent".to_owned();
            return Failure { message, ..failure }.hint("ask the recipient to delete it");
        }
        failure
    })?;
    uploads.forget(id);
    if let Some(uploads) = paths::uploads_directory() {
        UnfinishedUpload::forget(&uploads, id);
    }
    print(&status, context)
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
