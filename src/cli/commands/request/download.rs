//! `sgsend request download`: downloads what has arrived for a request.
//!
//! Each transfer gets a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

use super::saved::SavedRequest;
use crate::cli::commands::download::{required_signature, resolve_target};
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::flow::FlowArguments;
use crate::cli::input::identity::IdentityOptions;
use crate::cli::output::plural::with_number;
use crate::cli::output::sender::SignerOutput;
use crate::cli::output::target::{OutputOptions, OutputTarget};
use crate::cli::output::{info, records, sender};
use crate::client::download::{self, Download, GrantFile, RequiredSignature, SenderOptions};
use crate::client::{Api, ClientError};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::key::{LinkKey, LinkSecret, PayloadKey};
use crate::domain::crypto::request_secret::{RequestMark, RequestSecret};
use crate::domain::crypto::sealed::Layout;
use crate::domain::error::ErrorCode;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::link::RequestLink;
use crate::domain::people::recipient_keys::{
    IdentityKey, KeysBlob, KeysPlaintext, RecipientKey, encode_payload_key, unwrap,
};
use crate::domain::people::sender_signature::SenderKey;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;
use crate::domain::wire::{OwnTransferQuery, Page, StatusFilter, TransferItem};

/// Arguments of `sgsend request download`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the request, as `sgsend request list` shows it
    id: TokenId,
    /// Directory for the directories of the transfers [default: the current directory]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Also download what was downloaded before
    #[arg(long)]
    all: bool,
    /// Accept only transfers with a valid signature; of this contact, if NAME is given
    ///
    /// A name is that of a contact with an ssh-ed25519 key. Other transfers are skipped, and the exit status is 6.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "the value of the option is optional")]
    require_signature: Option<Option<String>>,
    #[command(flatten)]
    identity: IdentityOptions,
    /// Save archives as NAME.tar instead of unpacking them
    #[arg(long)]
    no_extract: bool,
    #[command(flatten)]
    flow: FlowArguments,
}

/// Result as JSON.
#[derive(Serialize)]
struct DownloadOutput {
    v: u8,
    ok: bool,
    items: Vec<ReceivedTransfer>,
    /// Transfers that were not sent through the link.
    set_aside: Vec<TransferId>,
}

/// A downloaded transfer.
#[derive(Serialize)]
struct ReceivedTransfer {
    transfer_id: TransferId,
    received_at: Timestamp,
    /// Path of the file, or of the directory that an archive was unpacked into.
    path: String,
    size: u64,
    message: Option<String>,
    /// Guest whose signature was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<SignerOutput>,
    /// Key of that guest.
    #[serde(skip)]
    sender: Option<SenderKey>,
}

/// Values that the command needs for each transfer.
struct Receiver<'a> {
    api: Api,
    /// Base URL in the request link, for which guests sign.
    link_base_url: BaseUrl,
    secret: RequestSecret,
    required: RequiredSignature,
    identities: Vec<IdentityKey>,
    arguments: &'a Arguments,
    context: &'a Context,
}

/// Returns the transfers of a request, oldest first; those with `state`, or all.
pub(super) async fn arrivals(
    api: &Api,
    id: TokenId,
    state: Option<Status>,
    context: &Context,
) -> Result<Vec<TransferItem>> {
    let page = |after: Option<String>| {
        let state = state.map(|state| StatusFilter::of([state]));
        let query = OwnTransferQuery { after, limit: Some(1_000), state, request: Some(id) };
        async move {
            let page = context.first_call(|| api.list_transfers(&query)).await?;
            Ok(Page { items: page.items, next: page.next })
        }
    };
    let mut items = records::all(page).await?;
    items.reverse();
    Ok(items)
}

/// Runs `sgsend request download`. Handles interruption itself: a download stays resumable.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let mut interrupt = context.interrupt.clone();
    let prepared = tokio::select! {
        biased;
        signal = interrupt.raised() => return Err(Failure::interrupted(signal).hint("nothing was downloaded").into()),
        prepared = Box::pin(prepare(&arguments, context)) => prepared?,
    };
    let (receiver, mut saved, arrived) = prepared;
    let (mut items, mut set_aside, mut failure) = (Vec::new(), Vec::new(), None);
    for item in arrived {
        let id = item.transfer_id;
        match Box::pin(receiver.receive(&item)).await {
            Ok(Some(done)) => {
                saved.received.push(id);
                if let Some(key) = &done.sender {
                    saved.add_sender(id, key);
                }
                saved.write()?;
                if !context.printer.is_json() {
                    context.printer.path(Path::new(&done.path))?;
                }
                items.push(done);
            }
            Ok(None) => {
                context.printer.warning(&format!("transfer {id} was not sent through the link: it is set aside"));
                if !saved.set_aside.contains(&id) {
                    saved.set_aside.push(id);
                    saved.write()?;
                }
                set_aside.push(id);
            }
            Err(error) => {
                let found = Failure::of(&error);
                // The next run continues with this transfer.
                if matches!(found.exit, Exit::Interrupted | Exit::Terminated | Exit::Network | Exit::Resumable) {
                    return Err(error);
                }
                context.printer.warning(&format!("transfer {id}: {}", found.message));
                failure.get_or_insert(error);
            }
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    let printer = &context.printer;
    if printer.is_json() {
        return Ok(printer.json(&DownloadOutput { v: 1, ok: true, items, set_aside })?);
    }
    if printer.is_interactive() {
        match items.len() {
            0 => printer.note("nothing new has arrived"),
            number => printer.note(&format!("{} downloaded, authenticity verified", with_number(number, "transfer"))),
        }
    }
    Ok(())
}

/// Reads secret and identity, and lists what is to be downloaded.
async fn prepare<'a>(
    arguments: &'a Arguments,
    context: &'a Context,
) -> Result<(Receiver<'a>, SavedRequest, Vec<TransferItem>)> {
    if let Some(output) = arguments.output.as_ref().filter(|output| !output.is_dir()) {
        let failure =
            Failure::new(Exit::LocalFile, "no_directory", format!("directory {} does not exist", output.display()));
        return Err(failure.hint("create the directory, or choose another with -o").into());
    }
    let required = required_signature(arguments.require_signature.as_ref(), false)?;
    let saved = SavedRequest::read_or_take_from(arguments.identity.files(), arguments.id)?;
    let RequestLink { secret, base_url: link_base_url, .. } = saved.link()?;
    if !arguments.identity.is_possible() {
        let failure = Failure::new(Exit::WrongKey, "identity_missing", "the identity of this user is missing");
        let hint = "what was sent opens only with the identity that the request was created with: restore it from a backup, \
                    or name its file with --identity";
        return Err(failure.hint(hint).into());
    }
    let identities = arguments.identity.read(context).await?;
    let api = context.sender_api(context.server()?).await?;
    let mut arrived = arrivals(&api, arguments.id, Some(Status::Completed), context).await?;
    if !arguments.all {
        arrived
            .retain(|item| !saved.received.contains(&item.transfer_id) && !saved.set_aside.contains(&item.transfer_id));
    }
    Ok((Receiver { api, link_base_url, secret, required, identities, arguments, context }, saved, arrived))
}

impl Receiver<'_> {
    /// Downloads one transfer. Returns `None` for one that was not sent through the link.
    async fn receive(&self, item: &TransferItem) -> Result<Option<ReceivedTransfer>> {
        let (id, context) = (item.transfer_id, self.context);
        let Some((key, keys, opener)) = self.payload_key(id).await? else { return Ok(None) };
        let api = context.anonymous_api(self.api.base_url().clone())?.limited_to(self.arguments.flow.rate(context));
        let grant_file = GrantFile::new(paths::downloads_directory().as_deref(), self.api.base_url(), id);
        let (flow, progress, retry) = (self.arguments.flow.choice(), context.meter("download"), context.retry_policy());
        download::check(&api, id, flow, &grant_file, (&retry, &*progress)).await?;
        let proof = secret_of(&key).access_proof();
        let further = (&proof, &retry, &*progress as &dyn crate::client::Progress);
        let status = download::check_with_proof(&api, id, flow, &grant_file, further).await?;
        let sent_info = status.info.as_ref().and_then(|sealed| sealed.open(&key).ok());
        let received_at = item.completed_at.unwrap_or(item.created_at);
        let directory = self.directory(received_at, id)?;
        let size = Layout::of_sealed(status.size_bytes).ok().map(|layout| layout.plaintext_size());
        let options = OutputOptions {
            output: Some(directory.clone()),
            overwrite: false,
            rename: true,
            extract: false,
            no_extract: self.arguments.no_extract,
            yes: false,
        };
        let mark = id.to_string()[..8].to_owned();
        let target = OutputTarget::new(&options, mark, &context.prompt, context.printer.clone());
        let choose = resolve_target(target, size).await?.into_choice();
        let sender = SenderOptions {
            base_url: self.link_base_url.clone(),
            keys: Some(keys),
            opener: Some(opener),
            required: self.required.clone(),
        };
        let secret = secret_of(&key);
        let download = Download { status, secret, choose, flow, resume: true, max_size: None, sender };
        let interrupt = context.interrupt.clone();
        let result = Box::pin(download::run(&api, download, &grant_file, retry, progress, interrupt)).await;
        let downloaded = result.inspect_err(|_| {
            // Without a part file, nothing is in it.
            drop(fs::remove_dir(&directory));
        })?;
        for warning in &downloaded.decrypted.warnings {
            context.printer.warning(&warning.to_string());
        }
        let verified = downloaded.decrypted.sender;
        if let Some(verified) = &verified {
            sender::print_verified(verified, &context.printer);
        }
        let path = downloaded.decrypted.path.unwrap_or(directory);
        if context.printer.is_interactive() && !context.printer.is_json() {
            let message = sent_info.as_ref().and_then(info::message);
            let message = message.map(|message| format!("\n  {message}")).unwrap_or_default();
            context.printer.note(&format!("{}{message}", ByteSize(downloaded.decrypted.size)));
        }
        Ok(Some(ReceivedTransfer {
            transfer_id: id,
            received_at,
            path: path.display().to_string(),
            size: downloaded.decrypted.size,
            message: sent_info.and_then(|info| info.message),
            signed_by: verified.as_ref().map(SignerOutput::of),
            sender: verified.map(|verified| verified.key),
        }))
    }

    /// Returns the payload key of a transfer; `None` unless the link's holder has wrapped it for this user.
    async fn payload_key(&self, id: TransferId) -> Result<Option<(PayloadKey, KeysBlob, RecipientKey)>> {
        let keys = match self.context.first_call(|| self.api.keys(id)).await {
            Err(error) if error.code() == Some(ErrorCode::NoKeys) => return Ok(None),
            Err(ClientError::InvalidResponse { .. }) => return Ok(None),
            keys => keys?,
        };
        let (plaintext, opener) = match unwrap(&keys, &self.identities) {
            Ok(opened) => opened,
            // A wrong identity must not set aside what was sent: nothing tells who wrapped it.
            Err(error) => {
                let failure = Failure::new(Exit::WrongKey, "identity_mismatch", format!("transfer {id}: {error}"));
                return Err(failure
                    .hint("name the identity that the request was created with, with --identity")
                    .into());
            }
        };
        let Some(KeysPlaintext { key, rest: Some(mark) }) = KeysPlaintext::parse(&plaintext) else { return Ok(None) };
        let is_marked = RequestMark::parse(&mark).is_some_and(|mark| self.secret.has_marked(&key, &mark));
        Ok(is_marked.then_some((key, keys, opener)))
    }

    /// Creates the directory of a transfer, named by the time of its arrival and the start of its id.
    fn directory(&self, at: Timestamp, id: TransferId) -> Result<PathBuf, Failure> {
        let minute = at.minute().replace(['T', ':'], "-");
        let name = format!("{minute}-{}", &id.to_string()[..8]);
        let directory = self.arguments.output.clone().unwrap_or_else(|| PathBuf::from(".")).join(name);
        match fs::create_dir(&directory) {
            // An earlier, unfinished download.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(directory),
            Err(error) => {
                let message = format!("cannot create the directory {}: {error}", directory.display());
                Err(Failure::new(Exit::LocalFile, "file_unwritable", message))
            }
            Ok(()) => Ok(directory),
        }
    }
}

/// Returns the secret of the own link of a transfer with this payload key.
fn secret_of(key: &PayloadKey) -> LinkSecret {
    let key: LinkKey = encode_payload_key(key).parse().expect("the text of a payload key is a link key");
    key.unlock(None).expect("the key has no passphrase")
}
