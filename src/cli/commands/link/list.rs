//! `sgsend link list`: lists the links of a transfer.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::SentTransfer;
use crate::cli::commands::status::state_text;
use crate::cli::context::Context;
use crate::cli::input::secret::SecretText;
use crate::cli::output::{escape, table, time};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::id::TransferId;
use crate::domain::wire::LinkItem;

/// Arguments of `sgsend link list`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Link, id of a transfer on the current server, or - for stdin [default: ask for it]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
}

#[derive(Serialize)]
struct LinkItems {
    transfer_id: TransferId,
    items: Vec<LinkRow>,
    next: Option<String>,
}

/// A link with its name.
#[derive(Serialize)]
pub(crate) struct LinkRow {
    #[serde(flatten)]
    pub item: LinkItem,
    /// Name of the link; null if neither the key nor the history of this user tells it.
    pub name: Option<String>,
}

impl LinkRow {
    /// Returns the cells of the link in a table: name, status, downloads, expiry, last download and id.
    fn cells(&self) -> Vec<String> {
        let Self { item, name } = self;
        let name = match name {
            Some(name) => escape::one_line(name).into_owned(),
            None if item.own => "(own link)".to_owned(),
            None => "(unknown)".to_owned(),
        };
        let downloads = match item.max_downloads {
            Some(limit) => format!("{} of {limit}", item.download_count),
            None => item.download_count.to_string(),
        };
        let last = item.last_download_at.map_or_else(|| "never".to_owned(), time::relative);
        let (state, expires) = (state_text(item.status).to_owned(), time::relative(item.expires_at));
        vec![name, state, downloads, expires, last, item.link_id.to_string()]
    }
}

/// Returns the links with their names.
pub(crate) fn named(transfer: &SentTransfer, key: Option<&PayloadKey>) -> Vec<LinkRow> {
    let row = |item: &LinkItem| LinkRow { name: transfer.name_of(item, key), item: item.clone() };
    transfer.links.iter().map(row).collect()
}

/// Formats links as the lines of a table.
pub(crate) fn rows(links: &[LinkRow]) -> String {
    let cells: Vec<_> = links.iter().map(LinkRow::cells).collect();
    table::lines(&["NAME", "STATUS", "DOWNLOADS", "EXPIRES", "LAST DOWNLOAD", "ID"], &cells)
}

/// Runs `sgsend link list`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let transfer = SentTransfer::read(arguments.link.as_ref(), context).await?;
    let key = transfer.payload_key_at_hand(context).await;
    let items = named(&transfer, key.as_ref());
    let printer = &context.printer;
    if printer.is_json() {
        return Ok(printer.json_of(&LinkItems { transfer_id: transfer.id, items, next: None })?);
    }
    printer.result(&rows(&items))?;
    if items.iter().any(|row| row.name.is_none() && row.item.label.is_some()) && printer.is_interactive() {
        printer.note("names are encrypted: pass a complete link of the transfer to see them");
    }
    Ok(())
}
