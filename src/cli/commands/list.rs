//! `sgsend list`: lists the transfers of the sender token.

use std::collections::HashMap;

use anyhow::Result;
use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::history;
use super::status::state_text;
use crate::cli::context::Context;
use crate::cli::output::{records, table, time};
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{OwnTransferQuery, Page, StatusFilter, TransferItem};

/// Transfers per request.
pub(super) const PAGE: u32 = 1_000;

/// Arguments of `sgsend list`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Also list transfers that have ended, until the server removes their records
    #[arg(long, conflicts_with = "state")]
    all: bool,
    #[command(flatten)]
    state: StateOption,
}

/// Option of commands that list transfers.
#[derive(Args)]
pub(super) struct StateOption {
    /// Only transfers with this status; several are separated by commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    state: Vec<StateValue>,
}

/// Values of `--state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StateValue {
    /// The upload is not finished
    Pending,
    /// Ready to download
    #[value(alias = "completed")]
    Ready,
    /// Expired
    Expired,
    /// The download limit is reached
    #[value(alias = "exhausted")]
    LimitReached,
    /// Deleted
    Deleted,
}

impl StateOption {
    /// Returns the statuses of the option; `None` without the option.
    pub(super) fn filter(&self) -> Option<StatusFilter> {
        let status = |state: &StateValue| match state {
            StateValue::Pending => Status::Pending,
            StateValue::Ready => Status::Completed,
            StateValue::Expired => Status::Expired,
            StateValue::LimitReached => Status::Exhausted,
            StateValue::Deleted => Status::Deleted,
        };
        (!self.state.is_empty()).then(|| StatusFilter::of(self.state.iter().map(status)))
    }
}

/// Transfer as listed, with what this machine knows of it.
#[derive(Serialize)]
struct ListedTransfer {
    #[serde(flatten)]
    item: TransferItem,
    /// File name, from the history of this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize)]
struct TransferItems<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// Runs `sgsend list`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let api = context.sender_api(context.server()?).await?;
    let live = || StatusFilter::of([Status::Pending, Status::Completed]);
    let state = if arguments.all { None } else { Some(arguments.state.filter().unwrap_or_else(live)) };
    let page = |after: Option<String>| {
        let query = OwnTransferQuery { after, limit: Some(PAGE), state: state.clone(), request: None };
        let api = &api;
        async move {
            let page = context.first_call(|| api.list_transfers(&query)).await?;
            Ok(Page { items: page.items, next: page.next })
        }
    };
    let items = records::all(page).await?;
    let mut names = names();
    let items: Vec<_> =
        items.into_iter().map(|item| ListedTransfer { name: names.remove(&item.transfer_id), item }).collect();
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&TransferItems { items, next: None })?;
        return Ok(());
    }
    let row = |ListedTransfer { item, name }: &ListedTransfer| {
        let name = name.as_deref().map(table::shortened).unwrap_or_default();
        let [created, status, size, downloads] = columns(item);
        vec![created, status, size, downloads, name, item.transfer_id.to_string()]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    if !rows.is_empty() {
        printer.result(&table::lines(&["CREATED", "STATUS", "ENCRYPTED SIZE", "DOWNLOADS", "NAME", "ID"], &rows))?;
    }
    if items.is_empty() && printer.is_interactive() {
        let all = if arguments.all { "" } else { "; ended ones are listed with --all" };
        printer.note(&format!("no transfers{all}"));
    }
    Ok(())
}

/// Returns the first columns of a transfer: creation, status, size and downloads.
pub(super) fn columns(item: &TransferItem) -> [String; 4] {
    let status = match (item.status, item.ended_at) {
        (Status::Completed, _) => format!("ready, expires {}", time::relative(item.expires_at)),
        (status, Some(ended)) => format!("{} {}", state_text(status), time::relative(ended)),
        (status, None) => state_text(status).to_owned(),
    };
    // The limit is that of the own link, the count that of all links.
    let downloads = match item.max_downloads.filter(|_| item.further_links == 0) {
        Some(limit) => format!("{} of {limit}", item.download_count),
        None => item.download_count.to_string(),
    };
    [time::local(item.created_at), status, ByteSize(item.size_bytes).to_string(), downloads]
}

/// Returns the file names in the history of this user.
fn names() -> HashMap<TransferId, String> {
    let entries = history::user_history().ok().and_then(|history| history.read().ok()).unwrap_or_default();
    entries.into_iter().map(|entry| (entry.transfer_id, entry.name)).collect()
}
