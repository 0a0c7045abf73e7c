//! `sgsend token revoke`: revokes a sender token, and deletes its transfers on request.

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

use super::{TokenArgument, status_text};
use crate::cli::commands::admin::delete_of_token;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::escape;
use crate::cli::output::plural::with_number;
use crate::domain::wire::TokenItem;

/// Arguments of `sgsend token revoke`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the token: the 16 hex digits behind sgs_; the complete token is accepted too
    #[arg(value_name = "TOKEN_ID")]
    token_id: TokenArgument,
    /// Also delete the transfers of the token [default: ask on a terminal, otherwise keep them]
    #[arg(long, conflicts_with = "keep_transfers")]
    delete_transfers: bool,
    /// Keep the transfers of the token, which can still be downloaded
    #[arg(long)]
    keep_transfers: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    item: &'a TokenItem,
    /// Number of transfers that were deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_transfers: Option<usize>,
}

/// Runs `sgsend token revoke`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let id = arguments.token_id.id()?;
    let api = context.admin_api().await?;
    let item = context.first_call(|| api.revoke_token(id)).await?;
    let printer = &context.printer;
    if !printer.is_json() {
        let name = escape::one_line(&item.name).into_owned();
        printer.note(&format!("token {} ({name}) is {}", item.token_id, status_text(item.status)));
    }
    let is_open = !arguments.keep_transfers && item.bytes_held > 0;
    let wants_deletion = arguments.delete_transfers || (is_open && asks(&item, context).await?);
    let deleted = if wants_deletion { Some(delete_of_token(&api, id, context).await?) } else { None };
    let failed = deleted.iter().flatten().filter(|item| item.code.is_some()).count();
    let count = deleted.as_ref().map(|items| items.len() - failed);
    if failed > 0 {
        let message = format!("the token is revoked, but {} could not be deleted", with_number(failed, "transfer"));
        let hint = format!("repeat it with `sgsend admin delete --of-token {id}`");
        return Err(Failure::new(Exit::Network, "not_deleted", message).hint(hint).into());
    }
    if printer.is_json() {
        printer.json_of(&Output { item: &item, deleted_transfers: count })?;
    } else if let Some(count) = count {
        printer.note(&format!("deleted {}", with_number(count, "transfer")));
    }
    Ok(())
}

/// Asks whether to delete the stored transfers of a revoked token; `false` without a terminal.
async fn asks(item: &TokenItem, context: &Context) -> Result<bool> {
    let stored = ByteSize(item.bytes_held);
    let question = format!("Its stored transfers ({stored}) can still be downloaded. Delete them?");
    Ok(context.prompt.confirm(&question).await?.unwrap_or(false))
}
