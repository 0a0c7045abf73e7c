//! `sgsend upload`

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

use super::arguments::{FlowArguments, positive_duration, positive_number};
use super::content::{Wanted, check_there};
use super::context::Context;
use super::counted::counted;
use super::dry_run;
use super::escape;
use super::exit::Exit;
use super::failure::Failure;
use super::handing_on::HandingOn;
use super::history;
use super::unfinished::ResumeArguments;
use crate::client::pack::Plan;
use crate::client::upload::{self, StatePlace, Upload, UploadError, Uploaded};
use crate::client::{Api, ClientError, Origin, Signal};
use crate::domain::digest::Sha256;
use crate::domain::envelope::{Archive, Metadata};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::key::LinkKey;
use crate::domain::root::ServerRoot;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{Flow, Transparency};

/// How much that is not sent is named.
const MOST_WARNINGS: usize = 20;

/// What the command takes.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct Arguments {
    /// What to send, or - for stdin. A directory, or several paths, travel as one archive and are unpacked into one new
    /// directory
    #[arg(value_name = "PATH|-", required = true)]
    paths: Vec<PathBuf>,
    /// How long it can be downloaded, such as 12h or 30d [default: 7d]
    #[arg(short, long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// How often it can be downloaded [default: any number of times]
    #[arg(short, long, value_name = "N", value_parser = positive_number::<u32>)]
    downloads: Option<u32>,
    /// What recipients see as its name [default: that of the file or directory, stdin, or for several paths sgsend- and eight
    /// random digits]
    #[arg(short, long, value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// Ask for a passphrase that recipients need beside the link
    #[arg(short, long, conflicts_with = "passphrase_file")]
    passphrase: bool,
    /// A file that holds such a passphrase [env: SGSEND_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Print the link without its key on the first line, and the key on the second
    #[arg(long)]
    separate_key: bool,
    /// Leave out of a directory what this glob matches, by its name or its path below the directory; can be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Show what would be sent, and whether it is within the limits of the server, and send nothing
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
    /// What tells this command from others: what is sent, where to, and on what terms.
    fn digest(&self, context: &Context) -> Result<Sha256> {
        let absolute = |path: &PathBuf| {
            let path = if path.as_os_str() == "-" { Ok(path.clone()) } else { std::path::absolute(path) };
            path.map(|path| path.into_os_string().into_encoded_bytes()).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    Failure::new(Exit::LocalFile, "no_directory", "the current directory is gone")
                        .hint("change to one that is there")
                }
                _ => Failure::usage(format!("a path is none: {error}")),
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

/// Runs the command. Tidies up by itself when it is interrupted.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let (separate_key, mut interrupt) = (arguments.separate_key, context.interrupt.clone());
    let (remember, handing_on) = (arguments.history.clone(), arguments.handing_on);
    let dry_run = arguments.dry_run;
    let (api, prepared) = tokio::select! {
        prepared = Box::pin(prepare(arguments, context)) => prepared?,
        signal = interrupt.raised() => return Err(nothing_begun(signal)),
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
        // Nobody has the key now.
        return Err(unprinted(&api, &uploaded, &error).await.into());
    }
    warn(&uploaded, &api, context);
    handing_on.run(&link_to_print(&uploaded, separate_key), &context.printer);
    if let Err(error) = remember.add(&uploaded, &name) {
        context.printer.warning(&format!("the upload is not in the history: {error}"));
    }
    if context.printer.has_reader() && !context.printer.is_json() {
        explain(&uploaded, (&name, files), separate_key, context);
    }
    Ok(())
}

/// Says what of the quota is left, and how much of that would be needed, where the server tells.
async fn over_quota(api: &Api, refusal: ClientError, (name, sealed): (&str, u64)) -> anyhow::Error {
    const ANOTHER: &str = "ask whoever runs the server for another sender token";
    let Ok(token) = api.token_status().await else { return refusal.into() };
    let (message, hint) = match (token.max_transfers, token.max_total_bytes) {
        (Some(most), _) if token.transfers_created.is_some_and(|created| created >= most) => {
            let transfers = counted(usize::try_from(most).unwrap_or(usize::MAX), "transfer");
            (format!("the sender token may create {transfers} in all, and has"), ANOTHER.to_owned())
        }
        (_, Some(most)) => {
            let held = token.bytes_held.unwrap_or_default();
            let (needed, left, most) = (ByteSize(sealed), ByteSize(most.saturating_sub(held)), ByteSize(most));
            let message = format!("{name} needs {needed} sealed, and the sender token has {left} of {most} left");
            (message, format!("delete transfers that are done with, or {ANOTHER}"))
        }
        _ => return refusal.into(),
    };
    Failure { message, ..Failure::of(&refusal.into()) }.hint(hint).into()
}

/// Ends a transfer whose link cannot be printed.
async fn unprinted(api: &Api, uploaded: &Uploaded, error: &io::Error) -> Failure {
    let deleted = api.delete(uploaded.link.transfer_id).await.is_ok();
    let ended = if deleted { "the transfer was deleted" } else { "nobody can open the transfer any more" };
    Failure::new(Exit::LocalFile, "link_unprinted", format!("the link cannot be printed: {error}; {ended}"))
        .hint("check where the output goes, and run it again")
}

/// Tells where a link does not lead to where the upload went.
fn warn(uploaded: &Uploaded, api: &Api, context: &Context) {
    if let Some(refused) = &uploaded.refused_root {
        let reached = &uploaded.link.root;
        context.printer.warning(&format!(
            "the server names {refused} for its links, where others can read along; this link leads to {reached}"
        ));
    }
    let host = |root: &ServerRoot| root.join("/").host_str().map(str::to_owned);
    if host(&uploaded.link.root) != host(api.root()) {
        context.printer.warning(&format!(
            "the link leads to {}, as the server wants it, and the upload went to {}",
            uploaded.link.root,
            api.origin()
        ));
    }
}

fn nothing_begun(signal: Signal) -> anyhow::Error {
    Failure::interrupted(signal).hint("nothing was sent").into()
}

/// Finds everything that is needed, and refuses what the server would, before anything is created.
async fn prepare(arguments: Arguments, context: &Context) -> Result<(Api, Upload)> {
    if arguments.passphrase {
        check_there(&arguments.paths)?;
    }
    let (command, resume) = (arguments.digest(context)?, arguments.resume);
    let api = context.api_as_sender(context.settings.server()).await?;
    let unfinished = resume.find(command, &api, context).await?.filter(|_| !arguments.dry_run);
    // Of an unfinished upload the key is known that a passphrase would give.
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
    for left_out in found.left_out.iter().take(MOST_WARNINGS) {
        context.printer.warning(&format!("{} is {}, and is not sent", left_out.path, left_out.what));
    }
    if let Some(others) = found.left_out.len().checked_sub(MOST_WARNINGS).filter(|others| *others > 0) {
        context.printer.warning(&format!("nor are {others} others of this kind"));
    }
    for glob in &found.unused_globs {
        context.printer.warning(&format!("--exclude {glob} matches nothing"));
    }
    if found.is_renamed {
        context.printer.warning(&format!("recipients see it as {}", found.name));
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

/// The link, without its key where that goes another way.
fn link_to_print(uploaded: &Uploaded, separate_key: bool) -> Zeroizing<String> {
    if separate_key { Zeroizing::new(uploaded.link.without_key()) } else { uploaded.link.to_text() }
}

/// Prints what cannot be had again.
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

/// The command that deletes it, with what that needs of this one's options.
fn how_to_delete(uploaded: &Uploaded, context: &Context) -> String {
    let server = context.settings.server();
    let (origin, leads_to) = (Origin::from(&server), Origin::from(&uploaded.link.root));
    let finds_token = origin == leads_to && context.settings.finds_token_again(&origin);
    let id = uploaded.completed.status.transfer_id;
    let what = if finds_token { uploaded.link.without_key() } else { format!("-s {server} {id}") };
    let again = if context.settings.has_token_flag() { ", and the same token" } else { "" };
    format!("sgsend {}delete {what}{again}", context.profile_flag())
}

fn explain(uploaded: &Uploaded, (name, files): (&str, Option<usize>), separate_key: bool, context: &Context) {
    let printer = &context.printer;
    let status = &uploaded.completed.status;
    let (size, sealed) = (ByteSize(uploaded.content_bytes), ByteSize(status.size_bytes));
    let downloads = match status.max_downloads {
        None => "any number of downloads".to_owned(),
        Some(1) => "one download".to_owned(),
        Some(number) => format!("{number} downloads"),
    };
    let files = files.map_or_else(String::new, |files| format!("{}, ", counted(files, "file")));
    printer.note(&format!("\n{}: {files}{size}, {sealed} sealed", escape::one_line(name)));
    printer.note(&format!("until {}, {downloads}", status.expires_at.for_people()));
    printer.note(&format!("delete it with: {}", how_to_delete(uploaded, context)));
    if separate_key {
        printer.note("send link and key by different ways: only both together open it");
    }
    let transparency = &uploaded.completed.transparency;
    printer.note("\nwhat the server stored about you:");
    for (field, form) in &transparency.stored {
        printer.note(&format!("  {}: {}", escape::one_line(field), escape::one_line(form)));
    }
    printer.note(&format!("what it did not: {}", escape::one_line(&transparency.not_stored.join(", "))));
    if !transparency.seen_by_others.is_empty() {
        printer.note(&format!("what others see: {}", escape::one_line(&transparency.seen_by_others.join(", "))));
    }
}
