//! `sgsend admin list`: lists the transfers of all senders.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::cli::commands::list::{PAGE, StateOption, columns};
use crate::cli::commands::token::TokenArgument;
use crate::cli::context::Context;
use crate::cli::input::values::{positive_duration, positive_number};
use crate::cli::output::table;
use crate::domain::wire::{TransferOrder, TransferPage, TransferQuery};

/// Arguments of `sgsend admin list`.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    state: StateOption,
    /// Only transfers of the token with this id
    #[arg(long, value_name = "TOKEN_ID")]
    of_token: Option<TokenArgument>,
    /// Only transfers created at least this time ago, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    older_than: Option<Duration>,
    /// Order of the list
    #[arg(long, value_name = "ORDER", default_value = "created")]
    order: OrderValue,
    /// Maximum number of transfers to list
    #[arg(long, value_name = "N", default_value = "100", value_parser = positive_number::<usize>)]
    limit: usize,
}

/// Values of `--order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OrderValue {
    /// Newest first
    Created,
    /// Largest first
    Size,
    /// Most downloads first, of the newest 10 000 transfers
    Downloads,
}

/// Runs `sgsend admin list`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let api = context.admin_api().await?;
    let order = match arguments.order {
        OrderValue::Created => TransferOrder::Created,
        OrderValue::Size => TransferOrder::Size,
        OrderValue::Downloads => TransferOrder::Downloads,
    };
    let mut query = TransferQuery {
        state: arguments.state.filter(),
        token_id: arguments.of_token.map(|token| token.id()).transpose()?,
        older_than: arguments.older_than.map(|age| age.as_secs()),
        order: Some(order),
        ..TransferQuery::default()
    };
    let mut listed = TransferPage { items: Vec::new(), next: None, is_partial: false };
    loop {
        let left = u32::try_from(arguments.limit - listed.items.len()).unwrap_or(PAGE);
        query.limit = Some(left.min(PAGE));
        let page = context.first_call(|| api.list_transfers(&query)).await?;
        listed.items.extend(page.items);
        listed.is_partial |= page.is_partial;
        // A server that repeats a position must not keep the command busy.
        let advances = page.next.is_some() && page.next != query.after;
        listed.next = page.next;
        if !advances || listed.items.len() >= arguments.limit {
            break;
        }
        query.after.clone_from(&listed.next);
    }
    print(&listed, context)
}

fn print(listed: &TransferPage, context: &Context) -> Result<()> {
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(listed)?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = listed
        .items
        .iter()
        .map(|item| {
            columns(item).into_iter().chain([item.token_id.to_string(), item.transfer_id.to_string()]).collect()
        })
        .collect();
    if !rows.is_empty() {
        printer.result(&table::lines(&["CREATED", "STATUS", "ENCRYPTED SIZE", "DOWNLOADS", "TOKEN", "ID"], &rows))?;
    }
    if rows.is_empty() && printer.is_interactive() {
        printer.note("no transfers");
    }
    if listed.next.is_some() {
        printer.note(&format!("there are more than {} transfers; list more with --limit", rows.len()));
    }
    if listed.is_partial {
        printer.note("only the newest 10 000 transfers were compared");
    }
    Ok(())
}
