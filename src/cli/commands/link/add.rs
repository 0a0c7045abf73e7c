//! `sgsend link add`: creates another link to a transfer.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::SentTransfer;
use crate::cli::commands::history;
use crate::cli::commands::upload::{LinkOutput, key_of, link_name, link_to_print};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::prompt::YesOption;
use crate::cli::input::secret::SecretText;
use crate::cli::input::values::{positive_duration, positive_number};
use crate::cli::output::time;
use crate::cli::streams::require_stdout;
use crate::client::{LinkTerms, NewLink};
use crate::domain::crypto::label::LinkName;
use crate::domain::id::TransferId;

/// Arguments of `sgsend link add`.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag on the command line")]
pub(super) struct Arguments {
    /// A link of the transfer, the id of the transfer, or - for stdin [default: ask for it]
    ///
    /// The new link needs the key of the transfer: from a complete link, or from the history if the upload had
    /// --keep-key.
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
    /// Name of the new link, such as that of its recipient; the server cannot read it
    #[arg(short, long, value_parser = link_name)]
    name: LinkName,
    /// Time until the link expires, such as 12h or 30d [default: 7d]
    #[arg(short, long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// Download limit [default: unlimited]
    #[arg(short, long, value_name = "N", value_parser = positive_number::<u32>)]
    downloads: Option<u32>,
    /// Ask for a passphrase, which the recipient needs in addition to the new link
    #[arg(short, long, conflicts_with = "passphrase_file")]
    passphrase: bool,
    /// File with the passphrase of the new link
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// File with the passphrase of the given link, if it has one [default: ask for it]
    #[arg(long, value_name = "FILE")]
    link_passphrase_file: Option<PathBuf>,
    /// Also close the transfer's own link
    #[arg(long)]
    close_own: bool,
    /// Print the link without its key on the first line and the key on the second
    #[arg(long)]
    separate_key: bool,
    /// Also store the key of the new link in the history
    #[arg(long)]
    keep_key: bool,
    #[command(flatten)]
    answer: YesOption,
}

#[derive(Serialize)]
struct Output {
    v: u8,
    ok: bool,
    transfer_id: TransferId,
    /// Whether recipients can still use the transfer's own link.
    own_link_open: bool,
    #[serde(flatten)]
    link: LinkOutput,
}

/// Runs `sgsend link add`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    require_stdout("the link")?;
    let transfer = SentTransfer::read(arguments.link.as_ref(), context).await?;
    let key = transfer.payload_key(arguments.link_passphrase_file, context).await?;
    let passphrase = match arguments.passphrase_file {
        None if !arguments.passphrase => None,
        file => Some(context.prompt.passphrase(file, true).await?),
    };
    let terms = LinkTerms { expires: arguments.expires, max_downloads: arguments.downloads };
    let name = arguments.name;
    let new = move || NewLink::new(&key, name, passphrase.as_ref(), terms);
    let new = spawn_blocking(new).await.expect("deriving a key does not panic");
    let (mut retry, meter) = (context.retry_policy(), context.meter("request"));
    let added = new.create(&transfer.api, transfer.id, &transfer.base_url, (&mut retry, &*meter)).await?;

    let printer = &context.printer;
    let is_closed = close_own(&transfer, arguments.close_own, arguments.answer.yes, context).await;
    let outcome = if printer.is_json() {
        printer.json(&Output {
            v: 1,
            ok: true,
            transfer_id: transfer.id,
            own_link_open: transfer.has_open_own_link() && !matches!(is_closed, Ok(true)),
            link: LinkOutput::of(&added, arguments.separate_key),
        })
    } else {
        let link = link_to_print(&added.link, arguments.separate_key);
        printer.result(&link).and_then(|()| {
            let key: Zeroizing<String> = key_of(&added.link);
            if arguments.separate_key { printer.result(&key) } else { Ok(()) }
        })
    };
    if let Err(error) = outcome {
        let closed = transfer.api.revoke_link(transfer.id, added.item.link_id).await.is_ok();
        let state = if closed { "it was closed" } else { "nobody has its key" };
        let message = format!("cannot print the link: {error}; {state}");
        let failure = Failure::new(Exit::LocalFile, "link_unprinted", message);
        return Err(failure.hint("check the target of stdout, and run the command again").into());
    }
    history::record_link(transfer.id, &added, arguments.keep_key);
    if printer.is_interactive() {
        let downloads = added.item.max_downloads.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        printer.note(&format!("expires {}, download limit: {downloads}", time::with_distance(added.item.expires_at)));
        printer.note(&format!("revoke it with: sgsend link revoke {}", added.link.without_key()));
    }
    is_closed.map(drop)
}

/// Closes the transfer's own link if the user wants it; otherwise says what an open one means.
///
/// Returns whether the link was closed.
async fn close_own(transfer: &SentTransfer, is_wanted: bool, yes: bool, context: &Context) -> Result<bool> {
    if !transfer.has_open_own_link() {
        return Ok(false);
    }
    if !is_wanted {
        context
            .printer
            .note("the transfer's own link is open: whoever has any of the links can use it too, if they learn its id");
        let prompt = context.prompt.answering(yes);
        if prompt.confirm("Close the transfer's own link?").await? != Some(true) {
            context.printer.note(&format!("close it with: sgsend link revoke {}", transfer.id));
            return Ok(false);
        }
    }
    let own = context.first_call(|| transfer.api.revoke_link(transfer.id, transfer.id.into())).await?;
    history::record_end(transfer.id, own.status, Some(&transfer.base_url));
    context.printer.note("closed the transfer's own link");
    Ok(true)
}
