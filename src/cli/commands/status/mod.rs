//! `sgsend status`: shows the state of a transfer.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

mod watch;

use super::download::link_secret;
use super::history;
use super::link::{self, LinkRow, SentTransfer};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::input::identity::IdentityOptions;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::cli::input::values::positive_duration;
use crate::cli::output::{info, records, time};
use crate::client::{Api, ClientError};
use crate::domain::crypto::commitment::Commitment;
use crate::domain::crypto::info::{ContentInfo, SealedInfo};
use crate::domain::crypto::key::{LinkKey, LinkSecret};
use crate::domain::crypto::link_text::WrappedKey;
use crate::domain::crypto::proof::AccessProof;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{LinkStatus, TransferStatus};

/// Arguments of `sgsend status`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
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
    /// Show all links of the transfer, for the sender; the default for this user's uploads
    #[arg(long)]
    links: bool,
    /// File with the passphrase, to show name and size [env: SGSEND_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    identity: IdentityOptions,
    /// Initial interval between requests to the server
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = positive_duration, hide = true)]
    poll: Duration,
}

impl Arguments {
    /// Returns whether the command prints the state once.
    pub(crate) const fn is_short(&self) -> bool {
        !(self.events || self.watch || self.wait.is_some())
    }
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
    /// All links of the transfer, for its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<&'a [LinkRow]>,
}

/// Link whose status is asked for, with the access proof that a further link needs.
struct ViewedLink<'a> {
    api: &'a Api,
    id: TransferId,
    proof: Option<AccessProof>,
}

impl ViewedLink<'_> {
    /// Asks the server for the status, without retries.
    async fn status(&self) -> std::result::Result<LinkStatus, ClientError> {
        self.api.status(self.id, self.proof.as_ref()).await
    }
}

/// Returns all members of a status.
///
/// # Errors
/// Fails if the server gives only the state, which a further link's id alone does.
fn complete(status: LinkStatus) -> std::result::Result<TransferStatus, Failure> {
    match status {
        LinkStatus::Full(status) => Ok(*status),
        LinkStatus::Redacted(status) => {
            let message = format!("this link is {}; all else is shown only with its key", state_text(status.status));
            let hint = "pass the complete link; as the sender, use `sgsend link list`";
            Err(Failure { code: "key_missing".into(), ..Failure::usage(message) }.hint(hint))
        }
    }
}

/// Opens the keys of a transfer for recipients. `None` if no private key of the user fits, and none was named.
async fn opened(
    api: &Api,
    id: TransferId,
    (commitment, identity): (Commitment, &IdentityOptions),
    context: &Context,
) -> Result<Option<LinkSecret>> {
    match identity.open(api, id, commitment, context).await {
        Ok(opened) => Ok(Some(LinkSecret::Own(opened.key))),
        Err(error) if identity.are_given() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Runs `sgsend status`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let target = LinkArgument::read(arguments.link.as_ref(), context).await?;
    let is_sender = arguments.links || history::find_upload(target.id, &target.base_url).is_some();
    let base_url = target.base_url.clone();
    // The token names the sender to the server, so it is sent only where it is needed.
    let api =
        if arguments.events || is_sender { context.api(base_url).await? } else { context.anonymous_api(base_url)? };
    // With a further link, the server shows nothing without the key; otherwise the key only decrypts name and size.
    let is_used = |key: &LinkKey| !key.needs_passphrase() || key.is_further() || arguments.passphrase_file.is_some();
    let commitment = target.key.as_ref().and_then(LinkKey::commitment);
    let secret = match target.key.clone().filter(is_used) {
        Some(_) if commitment.is_some() => match commitment.filter(|_| arguments.identity.is_possible()) {
            Some(commitment) => opened(&api, target.id, (commitment, &arguments.identity), context).await?,
            None => None,
        },
        Some(key) => Some(link_secret(key, false, arguments.passphrase_file.clone(), context).await?),
        None => None,
    };
    let is_further = target.key.as_ref().is_some_and(LinkKey::is_further);
    let proof = secret.as_ref().filter(|_| is_further).map(LinkSecret::access_proof);
    let viewed = ViewedLink { api: &api, id: target.id, proof };
    if arguments.watch || arguments.wait.is_some() {
        let ended = watch::watch(&arguments, &viewed, context).await?;
        // `--watch` has printed the final state already.
        if arguments.watch {
            return ended.map_err(Into::into);
        }
        ended?;
    }
    let mut status = complete(context.first_call(|| viewed.status()).await?)?;
    let described = content_info(&mut status, secret, &api, context).await;
    history::record_end(target.id, status.status, Some(api.base_url()));
    let events = if arguments.events {
        let page = |after: Option<String>| {
            let viewed = &viewed;
            async move {
                let call = || viewed.api.events(viewed.id, after.as_deref(), viewed.proof.as_ref());
                context.first_call(call).await
            }
        };
        Some(records::all(page).await?)
    } else {
        None
    };
    let links = if is_sender { links_of(&api, target, arguments.links, context).await? } else { None };
    let printer = &context.printer;
    if printer.is_json() {
        let (events, links) = (events.as_deref(), links.as_deref());
        printer.json_of(&Output { status: &status, content: described.as_ref(), events, links })?;
        return Ok(());
    }
    printer.result(&describe(&status, described.as_ref()))?;
    if let Some(links) = links {
        printer.result(&link::rows(&links))?;
    }
    if let Some(events) = events.filter(|events| !events.is_empty()) {
        printer.result(&records::timeline(&events))?;
    }
    Ok(())
}

/// Returns all links of a transfer with further links, if the sender token of this user has created it.
///
/// # Errors
/// Fails only if the links `are_wanted`.
async fn links_of(
    api: &Api,
    target: LinkArgument,
    are_wanted: bool,
    context: &Context,
) -> Result<Option<Vec<LinkRow>>> {
    let transfer = match SentTransfer::find(api.clone(), target, context).await {
        Ok(transfer) => transfer,
        Err(error) if are_wanted => return Err(error),
        Err(_) => return Ok(None),
    };
    if !are_wanted && transfer.links.iter().all(|item| item.own) {
        return Ok(None);
    }
    let key = transfer.payload_key_at_hand(context).await;
    Ok(Some(link::named(&transfer, key.as_ref())))
}

/// Decrypts what the sender says about the content, with the secret of the link if it is known. The encrypted forms are
/// taken out of `status`.
async fn content_info(
    status: &mut TransferStatus,
    secret: Option<LinkSecret>,
    api: &Api,
    context: &Context,
) -> Option<ContentInfo> {
    let (info, wrapped_key) = (status.info.take(), status.wrapped_key.take());
    let secret = secret?;
    let open = |info: Option<SealedInfo>, wrapped_key: Option<WrappedKey>| {
        let key = secret.payload_key(status.transfer_id.into(), wrapped_key.as_ref()).ok()?;
        info?.open(&key).ok()
    };
    if info.is_some() || !status.access_proof || status.status != Status::Completed {
        return open(info, wrapped_key);
    }
    let proof = secret.access_proof();
    match context.first_call(|| api.status_with_info(status.transfer_id, &proof)).await {
        Ok(TransferStatus { info, wrapped_key, .. }) => open(info, wrapped_key),
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
