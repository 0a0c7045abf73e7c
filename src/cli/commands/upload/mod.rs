//! `sgsend upload`: encrypts files, uploads them and prints the link.

pub(super) mod dry_run;
pub(super) mod unfinished;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::input::arguments::{FlowArguments, positive_duration, positive_number};
use crate::cli::input::content::{Wanted, check_there};
use crate::cli::output::plural::counted;

use super::history;
use super::upload::unfinished::ResumeArguments;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::escape;
use crate::cli::output::share::HandingOn;
use crate::client::pack::Plan;
use crate::client::upload::{self, StatePlace, Upload, UploadError, Uploaded};
use crate::client::{Api, ClientError, Origin, Signal};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::envelope::{Archive, Metadata};
use crate::domain::crypto::key::LinkKey;
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{Flow, Transparency};

/// Maximum number of skipped entries that are named in warnings.
const MAX_WARNINGS: usize = 20;

/// Arguments of `sgsend upload`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(crate) struct Arguments {
    /// Files to upload, or - for stdin. A directory or several paths become one archive, which is unpacked into a new
    /// directory when downloaded
    #[arg(value_name = "PATH|-", required = true)]
    paths: Vec<PathBuf>,
    /// Time until the transfer expires, such as 12h or 30d [default: 7d]
    #[arg(short, long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// Download limit [default: unlimited]
    #[arg(short, long, value_name = "N", value_parser = positive_number::<u32>)]
    downloads: Option<u32>,
    /// Name shown to recipients [default: the name of the file or directory, stdin, or for several paths sgsend- and
    /// eight random hex digits]
    #[arg(short, long, value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// Ask for a passphrase, which recipients need in addition to the link
    #[arg(short, long, conflicts_with = "passphrase_file")]
    passphrase: bool,
    /// File with the passphrase [env: SGSEND_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Print the link without its key on the first line and the key on the second
    #[arg(long)]
    separate_key: bool,
    /// Exclude entries whose name, or path below the directory, matches this glob; can be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// List the files and check them against the limits of the server, without uploading
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    resume: ResumeArguments,
    #[command(flatten)]
    handing_on: HandingOn,
    #[command(flatten)]
    history: history::UploadArguments,
    #[command(flatten)]
    flow: FlowArguments,
}

impl Arguments {
    /// Returns a digest of the command (server, paths and options), by which `--resume` finds its unfinished upload.
    fn digest(&self, context: &Context) -> Result<Sha256> {
        let absolute = |path: &PathBuf| {
            let path = if path.as_os_str() == "-" { Ok(path.clone()) } else { std::path::absolute(path) };
            path.map(|path| path.into_os_string().into_encoded_bytes()).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    Failure::new(Exit::LocalFile, "no_directory", "the current directory no longer exists")
                        .hint("change to an existing directory")
                }
                _ => Failure::usage(format!("invalid path: {error}")),
            })
        };
        let paths = self.paths.iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
        let has_passphrase =
            self.passphrase || self.passphrase_file.is_some() || context.environment.passphrase_file.is_some();
        let terms = (
            context.settings.server().to_string(),
            paths,
            &self.exclude,
            self.name.as_deref(),
            self.expires.map(|expires| expires.as_secs()),
            self.downloads,
            has_passphrase,
            format!("{:?}", self.flow.choice()),
        );
        Ok(Sha256::of(&serde_json::to_vec(&terms)?))
    }
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    transfer_id: TransferId,
    link: &'a str,
    key: &'a str,
    expires_at: Timestamp,
    max_downloads: Option<u32>,
    size: Size,
    mode: Flow,
    transparency: &'a Transparency,
}

#[derive(Serialize)]
struct Size {
    content: u64,
    sealed: u64,
}

/// Runs the command. Handles interruption itself: the upload stays resumable or is deleted.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let (separate_key, mut interrupt) = (arguments.separate_key, context.interrupt.clone());
    let (remember, handing_on) = (arguments.history.clone(), arguments.handing_on);
    let dry_run = arguments.dry_run;
    let (api, prepared) = tokio::select! {
        prepared = Box::pin(prepare(arguments, context)) => prepared?,
        signal = interrupt.raised() => return Err(nothing_uploaded(signal)),
    };
    if dry_run {
        return dry_run::print(&prepared, &context.printer);
    }
    let name = prepared.metadata.filename.clone();
    let files = prepared.source.plan().map(Plan::files);
    let meter = context.meter("upload");
    let sealed = dry_run::sealed_size(&prepared)?;
    let uploaded = match Box::pin(upload::run(&api, prepared, context.patience(), meter, interrupt)).await {
        Err(UploadError::Client(error)) if error.code() == Some(ErrorCode::QuotaExceeded) => {
            return Err(over_quota(&api, error, (&name, sealed)).await);
        }
        uploaded => uploaded?,
    };
    if let Err(error) = print(&uploaded, separate_key, context) {
        // The key was never printed, so nobody can decrypt the transfer.
        return Err(unprinted(&api, &uploaded, &error).await.into());
    }
    warn(&uploaded, &api, context);
    handing_on.run(&link_to_print(&uploaded, separate_key), &context.printer);
    if let Err(error) = remember.add(&uploaded, &name) {
        context.printer.warning(&format!("the upload could not be added to the history: {error}"));
    }
    if context.printer.has_reader() && !context.printer.is_json() {
        explain(&uploaded, (&name, files), separate_key, context);
    }
    Ok(())
}

/// Describes an exceeded quota: required and remaining amounts, if the server reports them.
async fn over_quota(api: &Api, error: ClientError, (name, sealed): (&str, u64)) -> anyhow::Error {
    const ANOTHER: &str = "ask the operator of the server for another sender token";
    let Ok(token) = api.token_status().await else { return error.into() };
    let (message, hint) = match (token.max_transfers, token.max_total_bytes) {
        (Some(limit), _) if token.transfers_created.is_some_and(|created| created >= limit) => {
            let transfers = counted(usize::try_from(limit).unwrap_or(usize::MAX), "transfer");
            (format!("the sender token has reached its limit of {transfers}"), ANOTHER.to_owned())
        }
        (_, Some(quota)) => {
            let used = token.bytes_held.unwrap_or_default();
            let (needed, left, quota) = (ByteSize(sealed), ByteSize(quota.saturating_sub(used)), ByteSize(quota));
            let message = format!("{name} needs {needed} encrypted, but the sender token has {left} of {quota} left");
            (message, format!("delete transfers that are no longer needed, or {ANOTHER}"))
        }
        _ => return error.into(),
    };
    Failure { message, ..Failure::of(&error.into()) }.hint(hint).into()
}

/// Deletes a transfer whose link could not be printed.
async fn unprinted(api: &Api, uploaded: &Uploaded, error: &io::Error) -> Failure {
    let deleted = api.delete(uploaded.link.transfer_id).await.is_ok();
    let state = if deleted { "the transfer was deleted" } else { "nobody has the key of the transfer" };
    Failure::new(Exit::LocalFile, "link_unprinted", format!("cannot print the link: {error}; {state}"))
        .hint("check the target of stdout, and run the command again")
}

/// Warns if the link points to another server than the upload, or if the server's link address was rejected.
fn warn(uploaded: &Uploaded, api: &Api, context: &Context) {
    if let Some(refused) = &uploaded.refused_root {
        let reached = &uploaded.link.root;
        context.printer.warning(&format!(
            "the server sets the unencrypted address {refused} for its links; this link uses {reached} instead"
        ));
    }
    let host = |root: &BaseUrl| root.join("/").host_str().map(str::to_owned);
    if host(&uploaded.link.root) != host(api.root()) {
        context.printer.warning(&format!(
            "the link points to {}, as the server sets it, but the upload went to {}",
            uploaded.link.root,
            api.origin()
        ));
    }
}

fn nothing_uploaded(signal: Signal) -> anyhow::Error {
    Failure::interrupted(signal).hint("nothing was uploaded").into()
}

/// Opens the input, reads the secrets and checks the server's limits, before creating the transfer.
async fn prepare(arguments: Arguments, context: &Context) -> Result<(Api, Upload)> {
    if arguments.passphrase {
        check_there(&arguments.paths)?;
    }
    let (command, resume) = (arguments.digest(context)?, arguments.resume);
    let api = context.api_as_sender(context.settings.server()).await?;
    let unfinished = resume.find(command, &api, context).await?.filter(|_| !arguments.dry_run);
    // The saved state of an unfinished upload contains the key derived from its passphrase.
    let is_known = unfinished.as_ref().is_some_and(|unfinished| unfinished.needs_passphrase());
    let passphrase = match arguments.passphrase_file.or_else(|| context.environment.passphrase_file.clone()) {
        _ if arguments.dry_run => None,
        None if !arguments.passphrase => None,
        Some(file) if !arguments.passphrase => Some(context.prompt.passphrase(Some(file), true).await?),
        _ if is_known => None,
        _ => Some(context.prompt.passphrase(None, true).await?),
    };
    let health = api.health().await.map_err(|error| match &unfinished {
        Some(unfinished) => UploadError::from(error).or_unfinished(unfinished.id()),
        None => error.into(),
    })?;
    let wanted = Wanted {
        paths: arguments.paths,
        name: arguments.name,
        exclude: arguments.exclude,
        limit: health.limits.max_content_bytes,
    };
    let found = spawn_blocking(move || wanted.open()).await.expect("opening files does not panic")?;
    for left_out in found.left_out.iter().take(MAX_WARNINGS) {
        context.printer.warning(&format!("{} is {} and is skipped", left_out.path, left_out.what));
    }
    if let Some(others) = found.left_out.len().checked_sub(MAX_WARNINGS).filter(|others| *others > 0) {
        context.printer.warning(&format!("{others} more entries are skipped"));
    }
    for glob in &found.unused_globs {
        context.printer.warning(&format!("--exclude {glob} matches nothing"));
    }
    if found.is_renamed {
        context.printer.warning(&format!("recipients see the name {}", found.name));
    }
    let source = found.source;
    let metadata = Metadata {
        filename: found.name,
        size: source.size(),
        content_type: None,
        modified_ms: source.modified_ms().filter(|_| !found.is_stream),
        archive: source.plan().map(|_| Archive::Tar),
    };
    let upload = Upload {
        source,
        metadata,
        passphrase,
        expires: arguments.expires,
        max_downloads: arguments.downloads,
        state: if found.is_spooled { StatePlace::Nowhere } else { resume.place(command) },
        unfinished,
        flow: arguments.flow.choice(),
    };
    upload::check(&api, &upload, &health)?;
    Ok((api, upload))
}

/// Returns the link, without its key if `separate_key`.
fn link_to_print(uploaded: &Uploaded, separate_key: bool) -> Zeroizing<String> {
    if separate_key { Zeroizing::new(uploaded.link.without_key()) } else { uploaded.link.to_text() }
}

/// Prints link and key, which are not stored anywhere.
fn print(uploaded: &Uploaded, separate_key: bool, context: &Context) -> io::Result<()> {
    let printer = &context.printer;
    let status = &uploaded.completed.status;
    let key = uploaded.link.key.as_ref().map_or_else(Zeroizing::default, LinkKey::to_text);
    let link = &*link_to_print(uploaded, separate_key);
    if printer.is_json() {
        return printer.json(&Output {
            v: 1,
            ok: true,
            transfer_id: status.transfer_id,
            link,
            key: &key,
            expires_at: status.expires_at,
            max_downloads: status.max_downloads,
            size: Size { content: uploaded.content_bytes, sealed: status.size_bytes },
            mode: uploaded.flow,
            transparency: &uploaded.completed.transparency,
        });
    }
    printer.result(link)?;
    if separate_key {
        printer.result(&key)?;
    }
    Ok(())
}

/// Returns the command that deletes the transfer, with the options that it needs.
fn how_to_delete(uploaded: &Uploaded, context: &Context) -> String {
    let server = context.settings.server();
    let (origin, leads_to) = (Origin::from(&server), Origin::from(&uploaded.link.root));
    let finds_token = origin == leads_to && context.settings.finds_token_again(&origin);
    let id = uploaded.completed.status.transfer_id;
    let transfer = if finds_token { uploaded.link.without_key() } else { format!("-s {server} {id}") };
    let again = if context.settings.has_token_flag() { ", and the same token" } else { "" };
    format!("sgsend {}delete {transfer}{again}", context.profile_flag())
}

fn explain(uploaded: &Uploaded, (name, files): (&str, Option<usize>), separate_key: bool, context: &Context) {
    let printer = &context.printer;
    let status = &uploaded.completed.status;
    let (size, sealed) = (ByteSize(uploaded.content_bytes), ByteSize(status.size_bytes));
    let downloads = match status.max_downloads {
        None => "unlimited".to_owned(),
        Some(limit) => limit.to_string(),
    };
    let files = files.map_or_else(String::new, |files| format!("{}, ", counted(files, "file")));
    printer.note(&format!("\n{}: {files}{size}, {sealed} encrypted", escape::one_line(name)));
    printer.note(&format!("expires {}, download limit: {downloads}", status.expires_at.for_people()));
    printer.note(&format!("delete with: {}", how_to_delete(uploaded, context)));
    if separate_key {
        printer.note("send link and key over separate channels: downloading needs both");
    }
    let transparency = &uploaded.completed.transparency;
    printer.note("\nstored by the server about you:");
    for (field, form) in &transparency.stored {
        printer.note(&format!("  {}: {}", escape::one_line(field), escape::one_line(form)));
    }
    printer.note(&format!("not stored: {}", escape::one_line(&transparency.not_stored.join(", "))));
    if !transparency.seen_by_others.is_empty() {
        printer.note(&format!("visible to others: {}", escape::one_line(&transparency.seen_by_others.join(", "))));
    }
}
