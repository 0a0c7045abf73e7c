//! `sgsend upload`

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::arguments::{FlowArguments, positive_duration};
use super::context::Context;
use super::escape;
use super::exit::Exit;
use super::failure::Failure;
use super::history;
use super::paths;
use super::secret_input::claim_stdin;
use crate::client::upload::{self, Source, Upload, UploadError, Uploaded};
use crate::client::{Api, Origin, Signal};
use crate::domain::envelope::Metadata;
use crate::domain::file_name::safe_file_name;
use crate::domain::id::TransferId;
use crate::domain::key::LinkKey;
use crate::domain::root::ServerRoot;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{Flow, Transparency};

/// The most that is kept of a stream, in bytes, whatever a server says that it takes: 16 GiB.
const MAX_SPOOL: u64 = 16 << 30;

/// What the command takes.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct Arguments {
    /// The file to send, or - for stdin
    #[arg(value_name = "PATH|-")]
    path: PathBuf,
    /// How long it can be downloaded, such as 12h or 30d [default: the server's, 7d unless it was set otherwise]
    #[arg(short, long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// How often it can be downloaded [default: any number of times]
    #[arg(short, long, value_name = "N")]
    downloads: Option<u32>,
    /// What recipients see as its name [default: the file's name, or stdin]
    #[arg(short, long)]
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
    #[command(flatten)]
    history: history::UploadArguments,
    #[command(flatten)]
    flow: FlowArguments,
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
    let remember = arguments.history.clone();
    let (api, prepared) = tokio::select! {
        prepared = Box::pin(prepare(arguments, context)) => prepared?,
        signal = interrupt.raised() => return Err(nothing_begun(signal)),
    };
    let name = prepared.metadata.filename.clone();
    let meter = context.meter("upload");
    let uploaded = Box::pin(upload::run(&api, prepared, context.patience(), meter, interrupt)).await?;
    if let Err(error) = print(&uploaded, separate_key, context) {
        // Nobody has the key now.
        return Err(unprinted(&api, &uploaded, &error).await.into());
    }
    warn(&uploaded, &api, context);
    if let Err(error) = remember.add(&uploaded, &name) {
        context.printer.warning(&format!("the upload is not in the history: {error}"));
    }
    if context.printer.has_reader() && !context.printer.is_json() {
        explain(&uploaded, &name, separate_key, context);
    }
    Ok(())
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
    let path = arguments.path;
    let api = context.api_as_sender(context.settings.server()).await?;
    let passphrase = match arguments.passphrase_file.or_else(|| context.environment.passphrase_file.clone()) {
        None if !arguments.passphrase => None,
        Some(file) if !arguments.passphrase => Some(context.prompt.passphrase(Some(file), true).await?),
        _ => Some(context.prompt.passphrase(None, true).await?),
    };
    let health = api.health().await?;
    let limit = health.limits.max_content_bytes;
    let opened = path.clone();
    let source = spawn_blocking(move || open(&opened, limit)).await.expect("opening a file does not panic")?;
    let name = match (&arguments.name, path.file_name()) {
        (Some(name), _) => safe_file_name(name),
        (None, _) if path == Path::new("-") => "stdin".to_owned(),
        (None, Some(name)) => safe_file_name(&name.to_string_lossy()),
        (None, None) => return Err(Failure::usage("the path names no file").into()),
    };
    let is_stream = path == Path::new("-");
    let metadata = Metadata {
        filename: name,
        size: source.size(),
        content_type: None,
        modified_ms: if is_stream { None } else { source.modified_ms() },
        archive: None,
    };
    let upload = Upload {
        source,
        metadata,
        passphrase,
        expires: arguments.expires,
        max_downloads: arguments.downloads,
        uploads: paths::state_directory().map(|state| state.join("uploads")),
        flow: arguments.flow.choice(),
    };
    upload::check(&api, &upload, &health)?;
    Ok((api, upload))
}

/// Opens a regular file; anything else that can be read is spooled. Blocks.
fn open(path: &Path, limit: u64) -> Result<Source> {
    if path == Path::new("-") {
        claim_stdin("content")?;
        return spool(io::stdin().lock(), limit);
    }
    let failed = |error: io::Error| {
        let message = format!("{} cannot be read: {error}", path.display());
        Failure::new(Exit::LocalFile, "file_unreadable", message)
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        let failure = Failure::new(Exit::LocalFile, "is_directory", format!("{} is a directory", path.display()));
        let hint =
            format!("pack it first: tar -cf - {} | sgsend upload - --name directory.tar", escape::for_shell(path));
        return Err(failure.hint(hint).into());
    }
    if metadata.is_file() && metadata.len() > 0 {
        return Ok(Source::open(path).map_err(failed)?);
    }
    // A length of 0 need not mean that a file is empty: those of /proc are not.
    let spooled = spool(File::open(path).map_err(failed)?, limit)?;
    if metadata.is_file() && spooled.size() == 0 { Ok(Source::open(path).map_err(failed)?) } else { Ok(spooled) }
}

/// Keeps a stream in a file without a name, up to what the server takes and never more than [`MAX_SPOOL`].
fn spool(input: impl Read, limit: u64) -> Result<Source> {
    let failed =
        |error: io::Error| Failure::new(Exit::LocalFile, "spool", format!("the input cannot be kept: {error}"));
    let limit = limit.min(MAX_SPOOL);
    let mut file = tempfile::tempfile().map_err(failed)?;
    let size = io::copy(&mut input.take(limit.saturating_add(1)), &mut file).map_err(failed)?;
    if size > limit {
        return Err(UploadError::TooLarge { size, limit }.into());
    }
    file.flush().and_then(|()| file.rewind()).map_err(failed)?;
    Ok(Source::of(file).map_err(failed)?)
}

/// Prints what cannot be had again.
fn print(uploaded: &Uploaded, separate_key: bool, context: &Context) -> io::Result<()> {
    let printer = &context.printer;
    let status = &uploaded.completed.status;
    let key = uploaded.link.key.as_ref().map_or_else(Zeroizing::default, LinkKey::to_text);
    let bare = uploaded.link.without_key();
    let whole = uploaded.link.to_text();
    let link = if separate_key { &bare } else { &*whole };
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

fn explain(uploaded: &Uploaded, name: &str, separate_key: bool, context: &Context) {
    let printer = &context.printer;
    let status = &uploaded.completed.status;
    let (size, sealed) = (ByteSize(uploaded.content_bytes), ByteSize(status.size_bytes));
    let downloads = match status.max_downloads {
        None => "any number of downloads".to_owned(),
        Some(1) => "one download".to_owned(),
        Some(number) => format!("{number} downloads"),
    };
    printer.note(&format!("\n{}: {size}, {sealed} sealed", escape::one_line(name)));
    printer.note(&format!("until {}, {downloads}", status.expires_at.for_people()));
    let server = context.settings.server();
    let in_use = Origin::from(&server) == Origin::from(&uploaded.link.root);
    let what = if in_use { uploaded.link.without_key() } else { format!("-s {server} {}", status.transfer_id) };
    printer.note(&format!("delete it with: sgsend delete {what}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_kept_up_to_the_limit() {
        assert_eq!(spool(&b"12345"[..], 5).unwrap().size(), 5);
        let error = spool(&b"123456"[..], 5).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(UploadError::TooLarge { limit: 5, .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_does_not_tell_its_length_is_read() {
        assert!(open(Path::new("/proc/self/status"), 1_000_000).unwrap().size() > 0);
        let empty = tempfile::NamedTempFile::new().unwrap();
        empty.as_file().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(open(empty.path(), 5).unwrap().modified_ms(), Some(0));
    }

    #[test]
    fn what_cannot_be_sent_says_what_to_do() {
        let directory = open(&std::env::temp_dir(), 5).unwrap_err();
        let failure = Failure::of(&directory);
        assert_eq!((failure.exit, failure.hint.unwrap().contains("tar")), (Exit::LocalFile, true));
    }
}
