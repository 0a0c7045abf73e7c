//! `sgsend status`: shows the state of a transfer.

use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

mod watch;

use super::history;
use crate::cli::context::Context;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::cli::input::values::positive_duration;
use crate::cli::output::{info, records, time};
use crate::client::Api;
use crate::domain::crypto::info::ContentInfo;
use crate::domain::crypto::key::LinkKey;
use crate::domain::crypto::proof::AccessProof;
use crate::domain::transfer::Status;
use crate::domain::wire::TransferStatus;

/// Arguments of `sgsend status`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Link, id of a transfer on the current server, or - for stdin [default: ask for it]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
    /// Show the events of the transfer; with the token that created it, also the clients
    #[arg(long)]
    events: bool,
    /// Print the state at each change until the transfer ends; with --events also new events
    #[arg(long)]
    watch: bool,
    /// Wait until the server has counted a download, or until the transfer has ended
    ///
    /// A transfer ends when it expires, reaches its download limit or is deleted. Waiting for a download exits with
    /// status 4 if the transfer ends without a download.
    #[arg(long, value_name = "WHAT")]
    wait: Option<WatchCondition>,
    /// Initial interval between requests to the server
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = positive_duration, hide = true)]
    poll: Duration,
}

/// Values of `--wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WatchCondition {
    /// The server has counted a download; it counts when a download begins
    Downloaded,
    /// The transfer has expired, reached its download limit or was deleted
    Expired,
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    status: &'a TransferStatus,
    /// Name, size and message, decrypted with the key of the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a ContentInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<&'a [Value]>,
}

/// Runs `sgsend status`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let target = LinkArgument::read(arguments.link.as_ref(), context).await?;
    let api =
        if arguments.events { context.api(target.base_url).await? } else { context.anonymous_api(target.base_url)? };
    if arguments.watch || arguments.wait.is_some() {
        let ended = watch::watch(&arguments, &api, target.id, context).await?;
        // `--watch` has printed the final state already.
        if arguments.watch {
            return ended.map_err(Into::into);
        }
        ended?;
    }
    let mut status = context.first_call(|| api.status(target.id)).await?;
    let described = content_info(&mut status, target.key, &api, context).await;
    history::record_end(target.id, status.status, Some(api.base_url()));
    let events = if arguments.events {
        let page = |after: Option<String>| {
            let api = &api;
            async move { context.first_call(|| api.events(target.id, after.as_deref())).await }
        };
        Some(records::all(page).await?)
    } else {
        None
    };
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&Output { status: &status, content: described.as_ref(), events: events.as_deref() })?;
        return Ok(());
    }
    printer.result(&describe(&status, described.as_ref()))?;
    if let Some(events) = events.filter(|events| !events.is_empty()) {
        printer.result(&records::timeline(&events))?;
    }
    Ok(())
}

/// Decrypts what the sender says about the content, if the link has a key that needs no passphrase. The encrypted form is
/// taken out of `status`.
async fn content_info(
    status: &mut TransferStatus,
    key: Option<LinkKey>,
    api: &Api,
    context: &Context,
) -> Option<ContentInfo> {
    let open = status.info.take();
    let key = key.filter(|key| !key.needs_passphrase())?.payload_key(None).ok()?;
    if !status.access_proof || status.status != Status::Completed {
        return open?.open(&key).ok();
    }
    let proof = AccessProof::of(&key);
    match context.first_call(|| api.status_with_info(status.transfer_id, &proof)).await {
        Ok(TransferStatus { info, .. }) => info?.open(&key).ok(),
        Err(error) => {
            context.printer.warning(&format!("the name of the content is not shown: {error}"));
            None
        }
    }
}

/// Returns the state's name for users; the API's names are in the JSON output.
pub(crate) const fn state_text(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Completed => "ready",
        Status::Expired => "expired",
        Status::Exhausted => "limit reached",
        Status::Deleted => "deleted",
        Status::Closed => "closed",
    }
}

/// Formats the state of a transfer, one line per member.
pub(crate) fn describe(status: &TransferStatus, content: Option<&ContentInfo>) -> String {
    let downloads = match status.max_downloads {
        None => format!("{}, no download limit", status.download_count),
        Some(limit) => format!("{} of {limit}", status.download_count),
    };
    let ready = status.completed_at.map_or_else(|| "not yet".to_owned(), time::with_distance);
    let shown = content.map(|content| ("content", info::line(content)));
    let message = content.and_then(info::message).map(|message| ("message", message));
    let lines = [
        ("transfer", status.transfer_id.to_string()),
        ("status", state_text(status.status).to_owned()),
        ("size", format!("{} encrypted", ByteSize(status.size_bytes))),
        ("created", time::with_distance(status.created_at)),
        ("ready", ready),
        ("expires", time::with_distance(status.expires_at)),
        ("downloads", downloads),
        ("needs key", if status.access_proof { "to download" } else { "only to decrypt" }.to_owned()),
    ];
    let lines = lines.into_iter().chain(shown).chain(message);
    lines.map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
}
