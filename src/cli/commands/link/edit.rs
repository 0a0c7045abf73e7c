//! `sgsend edit` and `sgsend link edit`: change expiry and download limit of links.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::SentTransfer;
use super::list::{LinkRow, rows};
use crate::cli::commands::history;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::secret::SecretText;
use crate::cli::input::values::{positive_duration, positive_number};
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{LinkItem, UpdateLink};

/// Arguments of `sgsend edit`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    one: EditOptions,
    /// Change all links of the transfer that have not ended
    #[arg(long)]
    all_links: bool,
}

/// Arguments of `sgsend link edit`.
#[derive(Args)]
pub(crate) struct EditOptions {
    /// Link, id of a transfer or link on the current server, or - for stdin [default: ask for it]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
    /// Time from now until the link expires, such as 12h or 14d
    #[arg(short, long, value_name = "DURATION", value_parser = positive_duration, required_unless_present = "downloads")]
    expires: Option<Duration>,
    /// Download limit, or unlimited; a limit that is already reached ends the link
    #[arg(short, long, value_name = "N", value_parser = download_limit)]
    downloads: Option<DownloadLimit>,
}

/// Value of `--downloads`: a limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DownloadLimit(Option<u32>);

fn download_limit(text: &str) -> Result<DownloadLimit, String> {
    if text == "unlimited" {
        return Ok(DownloadLimit(None));
    }
    positive_number(text).map(|limit| DownloadLimit(Some(limit))).map_err(|error| format!("{error}, or unlimited"))
}

#[derive(Serialize)]
struct Output {
    transfer_id: TransferId,
    items: Vec<LinkRow>,
    next: Option<String>,
}

/// Runs `sgsend edit`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    edit(arguments.one, arguments.all_links, context).await
}

/// Runs `sgsend link edit`.
pub(crate) async fn run_link(arguments: EditOptions, context: &Context) -> Result<()> {
    edit(arguments, false, context).await
}

async fn edit(arguments: EditOptions, all_links: bool, context: &Context) -> Result<()> {
    let change = UpdateLink {
        expires_in_s: arguments.expires.map(|expires| expires.as_secs()),
        max_downloads: arguments.downloads.map(|DownloadLimit(limit)| limit),
    };
    let transfer = SentTransfer::read(arguments.link.as_ref(), context).await?;
    let chosen: Vec<&LinkItem> = if all_links {
        transfer.links.iter().filter(|item| matches!(item.status, Status::Pending | Status::Completed)).collect()
    } else {
        vec![transfer.given()?]
    };
    if chosen.is_empty() {
        let failure = Failure::new(Exit::Gone, "no_link", "all links of the transfer have ended");
        return Err(failure.hint("upload the files again").into());
    }
    let mut changed = Vec::with_capacity(chosen.len());
    for item in chosen {
        let call = || transfer.api.update_link(transfer.id, item.link_id, &change);
        let item = context.first_call(call).await?;
        history::record_change(&item);
        history::record_end(item.link_id.as_transfer(), item.status, Some(&transfer.base_url));
        changed.push(LinkRow { name: transfer.name_of(&item, None), item });
    }
    if context.printer.is_json() {
        return Ok(context.printer.json_of(&Output { transfer_id: transfer.id, items: changed, next: None })?);
    }
    Ok(context.printer.result(&rows(&changed))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_limit_is_a_number_or_unlimited() {
        assert_eq!(download_limit("unlimited"), Ok(DownloadLimit(None)));
        assert_eq!(download_limit("5"), Ok(DownloadLimit(Some(5))));
        for text in ["0", "-1", "many", ""] {
            assert!(download_limit(text).is_err(), "{text}");
        }
    }
}
