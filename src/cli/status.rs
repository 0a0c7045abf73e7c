//! `sgsend status`

use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

mod watch;

use super::arguments::positive_duration;
use super::context::Context;
use super::records;
use super::secret_input::SecretText;
use super::target::Target;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::TransferStatus;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {
    /// The link, the id of a transfer on the server in use, or - to read it from stdin; asked for if missing
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
    /// Show what has happened to it; with the token it was created with, also who was there
    #[arg(long)]
    events: bool,
    /// Print the state whenever it changes, until the transfer has ended; with --events also what happens
    #[arg(long)]
    watch: bool,
    /// Wait until the server has counted a download, or until the transfer has ended in whichever way: its time over,
    /// its downloads used, or deleted. Waiting for a download that can no longer come ends with status 4
    #[arg(long, value_name = "WHAT")]
    wait: Option<Awaited>,
    /// How long to wait before asking the server for the first time again
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = positive_duration, hide = true)]
    poll: Duration,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Awaited {
    /// The server has counted a download, which it does when one begins
    Downloaded,
    /// The transfer has ended
    Expired,
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    status: &'a TransferStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<&'a [Value]>,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let target = Target::read(arguments.link.as_ref(), context).await?;
    let api = if arguments.events { context.api(target.root).await? } else { context.api_as_anybody(target.root)? };
    if arguments.watch || arguments.wait.is_some() {
        let ended = watch::watch(&arguments, &api, target.id, context).await?;
        // Who has watched has seen it all.
        if arguments.watch {
            return ended.map_err(Into::into);
        }
        ended?;
    }
    let status = api.status(target.id).await?;
    let events = if arguments.events {
        let page = |after: Option<String>| {
            let api = &api;
            async move { api.events(target.id, after.as_deref()).await }
        };
        Some(records::all(page).await?)
    } else {
        None
    };
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&Output { status: &status, events: events.as_deref() })?;
        return Ok(());
    }
    printer.result(&describe(&status))?;
    if let Some(events) = events.filter(|events| !events.is_empty()) {
        printer.result(&records::timeline(&events))?;
    }
    Ok(())
}

/// A transfer's state, a line a member.
pub(super) fn describe(status: &TransferStatus) -> String {
    let downloads = match status.max_downloads {
        None => format!("{}, any number allowed", status.download_count),
        Some(most) => format!("{} of {most}", status.download_count),
    };
    let completed = status.completed_at.map_or_else(|| "not yet".to_owned(), Timestamp::for_people);
    [
        ("transfer", status.transfer_id.to_string()),
        ("status", status.status.as_str().to_owned()),
        ("size", format!("{} sealed", ByteSize(status.size_bytes))),
        ("created", status.created_at.for_people()),
        ("completed", completed),
        ("expires", status.expires_at.for_people()),
        ("downloads", downloads),
        ("needs key", if status.access_proof { "yes, to download" } else { "only to decrypt" }.to_owned()),
    ]
    .map(|(name, value)| format!("{name:<10} {value}"))
    .join("\n")
}
