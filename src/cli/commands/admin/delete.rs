//! `sgsend admin delete`: deletes transfers of any sender.

use anyhow::Result;
use clap::Args;

use crate::cli::commands::token::TokenArgument;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::prompt::YesOption;
use crate::cli::input::secret::SecretText;
use crate::cli::output::plural::with_number;
use crate::client::AdminApi;
use crate::domain::error::ErrorCode;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::wire::{DeleteTransfers, DeletedTransfer, DeletedTransfers};

/// Transfers per request.
const BATCH: usize = 100;

/// Arguments of `sgsend admin delete`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Ids or links of transfers
    #[arg(value_name = "ID", required_unless_present = "of_token")]
    ids: Vec<SecretText>,
    /// Delete all transfers of the token with this id
    #[arg(long, value_name = "TOKEN_ID", conflicts_with = "ids")]
    of_token: Option<TokenArgument>,
    #[command(flatten)]
    answer: YesOption,
}

/// Runs `sgsend admin delete`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let prompt = context.prompt.answering(arguments.answer.yes);
    let mut ids = Vec::new();
    for id in &arguments.ids {
        ids.push(LinkArgument::read(Some(id), context).await?.id);
    }
    let token = arguments.of_token.map(|token| token.id()).transpose()?;
    let question = match token {
        Some(token) => format!("Delete all transfers of token {token}?"),
        None => format!("Delete {}?", with_number(ids.len(), "transfer")),
    };
    if prompt.confirm(&question).await? == Some(false) {
        context.printer.note("nothing was deleted");
        return Ok(Exit::Done);
    }
    let api = context.admin_api().await?;
    let items = match token {
        Some(token) => delete_of_token(&api, token, context).await?,
        None => delete_ids(&api, &ids, context).await?,
    };
    report(items, context)
}

async fn delete_ids(api: &AdminApi, ids: &[TransferId], context: &Context) -> Result<Vec<DeletedTransfer>> {
    let mut items = Vec::new();
    for batch in ids.chunks(BATCH) {
        let request = DeleteTransfers { transfer_ids: Some(batch.to_vec()), ..DeleteTransfers::default() };
        items.extend(context.first_call(|| api.delete_many(&request)).await?.items);
    }
    Ok(items)
}

/// Deletes the transfers of a token, in as many requests as needed.
pub(in crate::cli::commands) async fn delete_of_token(
    api: &AdminApi,
    token: TokenId,
    context: &Context,
) -> Result<Vec<DeletedTransfer>> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let request = DeleteTransfers { token_id: Some(token), after: after.clone(), ..DeleteTransfers::default() };
        let deleted = context.first_call(|| api.delete_many(&request)).await?;
        items.extend(deleted.items);
        if deleted.next.is_none() || deleted.next == after {
            return Ok(items);
        }
        after = deleted.next;
    }
}

/// Prints the result, and returns the exit status: that of the first failure.
fn report(items: Vec<DeletedTransfer>, context: &Context) -> Result<Exit> {
    let failed: Vec<_> = items.iter().filter_map(|item| Some((item.transfer_id, item.code?))).collect();
    let exit = failed.first().map_or(Exit::Done, |(_, code)| exit_of(*code));
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&DeletedTransfers { items, next: None })?;
        return Ok(exit);
    }
    let deleted = items.len() - failed.len();
    printer.note(&format!("deleted {}", with_number(deleted, "transfer")));
    for (id, code) in &failed {
        printer.warning(&format!("transfer {id}: {}", code.as_str()));
    }
    if failed.is_empty() {
        return Ok(Exit::Done);
    }
    let message = format!("{} could not be deleted", with_number(failed.len(), "transfer"));
    let hint = match exit {
        Exit::NotFound => "`sgsend admin list` lists all transfers",
        _ => "run the command again: deleted transfers stay deleted",
    };
    Err(Failure::new(exit, "not_deleted", message).hint(hint).into())
}

fn exit_of(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::TransferNotFound => Exit::NotFound,
        _ => Exit::Network,
    }
}
