//! `sgsend watch`: waits for what happens to the sender's transfers.

mod command;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::cli::output::time;
use crate::client::{Api, ClientError, StreamedEvent};
use crate::domain::id::{LinkId, RecordId, TokenId, TransferId};
use crate::domain::notification::{Notification, NotificationKind};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// Delay before the first attempt to connect again; doubled up to [`MAX_DELAY`].
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Maximum delay before an attempt to connect again.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// Number of ids that are remembered, to ignore events that arrive again after a lost connection.
const REMEMBERED: usize = 1_000;

/// Arguments of `sgsend watch`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(crate) struct Arguments {
    /// Link or id of one transfer, whose end also ends the command [default: all transfers of the token]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
    /// Command line to run for each event, by the shell
    ///
    /// Its environment has SGSEND_EVENT, such as transfer.first_download, SGSEND_EVENT_ID, SGSEND_EVENT_TIME,
    /// SGSEND_TRANSFER_ID, SGSEND_LINK_ID, SGSEND_REQUEST_ID, SGSEND_DOWNLOAD_COUNT, SGSEND_MAX_DOWNLOADS and SGSEND_TEXT, a sentence. Events
    /// wait for the end of the command.
    #[arg(long, value_name = "COMMAND")]
    exec: Option<OsString>,
}

/// Event as one line of JSON.
#[derive(Serialize)]
struct EventOutput {
    id: RecordId,
    kind: NotificationKind,
    at: Timestamp,
    transfer_id: TransferId,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_id: Option<LinkId>,
    /// Request that a guest uploaded the transfer for.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<TokenId>,
    download_count: u64,
    max_downloads: Option<u32>,
}

/// Runs `sgsend watch`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let mut only = None;
    let api = if arguments.link.is_some() {
        let target = LinkArgument::read(arguments.link.as_ref(), context).await?;
        only = Some(target.id);
        context.sender_api(target.base_url).await?
    } else {
        context.sender_api(context.server()?).await?
    };
    let mut stream = context.first_call(|| api.event_stream(None)).await?;
    // After the stream has begun, so that no end is missed.
    if let Some(id) = only
        && let status = context.first_call(|| api.status(id, None)).await?.state()
        && !matches!(status, Status::Pending | Status::Completed)
    {
        context.printer.note(&format!("the transfer is {} already", status.as_str()));
        return Ok(());
    }
    context.printer.note("waiting for events; Ctrl-C ends the command");
    let mut known = VecDeque::new();
    loop {
        while let Some(event) = next(&mut stream).await {
            if known.contains(&event.id) {
                continue;
            }
            let notification = serde_json::from_str::<Notification>(&event.data);
            known.push_back(event.id);
            known.drain(..known.len().saturating_sub(REMEMBERED));
            // A kind of a later version is left out.
            let Ok(notification) = notification else { continue };
            if only.is_none_or(|id| id == notification.transfer_id) {
                show(&notification, context)?;
                if let Some(command) = &arguments.exec {
                    command::run(command, &notification, &context.printer).await;
                }
                if only.is_some() && ends(notification.kind) {
                    return Ok(());
                }
            }
        }
        // Before the first event, the id is that of the beginning.
        let last = stream.last_id().to_owned();
        stream = reconnect(&api, Some(&*last).filter(|last| !last.is_empty()), context).await?;
    }
}

/// Returns the next event; `None` if the stream has ended or is lost.
async fn next(stream: &mut crate::client::EventStream) -> Option<StreamedEvent> {
    stream.next().await.ok().flatten()
}

/// Connects again, until the service rejects the token.
async fn reconnect(
    api: &Api,
    last: Option<&str>,
    context: &Context,
) -> Result<crate::client::EventStream, ClientError> {
    let mut delay = FIRST_DELAY;
    loop {
        tokio::time::sleep(delay).await;
        match api.event_stream(last).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.is_transient() => {
                if delay == FIRST_DELAY {
                    context.printer.note(&format!("the connection is lost, will retry: {error}"));
                }
                delay = (delay * 2).min(MAX_DELAY);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Returns whether a transfer has ended with this event.
const fn ends(kind: NotificationKind) -> bool {
    matches!(
        kind,
        NotificationKind::TransferExhausted | NotificationKind::TransferExpired | NotificationKind::TransferDeleted
    )
}

fn show(notification: &Notification, context: &Context) -> Result<()> {
    let Notification { id, kind, at, transfer_id, link_id, request, download_count, max_downloads, .. } =
        notification.clone();
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&EventOutput { id, kind, at, transfer_id, link_id, request, download_count, max_downloads })?;
    } else {
        let limit = max_downloads.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let (at, kind) = (time::to_second(at), kind.as_str());
        let request = request.map(|id| format!("  request {id}")).unwrap_or_default();
        printer.result(&format!("{at}  {transfer_id}  {kind}  downloads {download_count}{limit}{request}"))?;
    }
    Ok(())
}
