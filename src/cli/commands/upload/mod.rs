//! `sgsend upload`: encrypts files, uploads them and prints the link.

pub(super) mod dry_run;
mod each;
mod prepare;
mod report;
pub(super) mod unfinished;

use std::fs::Metadata;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

pub(crate) use self::report::{LinkOutput, key_of, link_to_print};
use super::history;
use super::request::guest_failure;
use super::upload::report::Summary;
use super::upload::unfinished::ResumeArguments;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::content::ContentOptions;
use crate::cli::input::flow::FlowArguments;
use crate::cli::input::notify::NotifyName;
use crate::cli::input::secret::SecretText;
use crate::cli::input::values::{positive_duration, positive_number};
use crate::cli::output::plural::with_number;
use crate::cli::output::share::ShareOptions;
use crate::cli::streams::require_stdout;
use crate::client::pack::Plan;
use crate::client::upload::{self, UploadError, Uploaded};
use crate::client::{Api, ClientError, Signal};
use crate::domain::crypto::label::{InvalidLinkName, LinkName};
use crate::domain::error::ErrorCode;

/// Arguments of `sgsend upload`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag on the command line")]
pub(crate) struct Arguments {
    /// Files to upload, or - for stdin. A directory or several paths become one archive, which is unpacked into a new
    /// directory when downloaded
    #[arg(value_name = "PATH|-", required = true)]
    paths: Vec<PathBuf>,
    /// Upload each path as a transfer of its own, several at once
    ///
    /// Prints a line for each transfer, in the order of the paths: its link, a tab and the path; with --json an object.
    /// Failures are printed to stderr, and the exit status is 1 if there was one. The other options hold for each
    /// transfer.
    #[arg(long, conflicts_with_all = ["name", "links", "request", "qr", "copy", "transparency"])]
    each: bool,
    /// Time until the transfer expires, such as 12h or 30d [default: 7d]
    #[arg(short, long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// Download limit [default: unlimited]
    #[arg(short, long, value_name = "N", value_parser = positive_number::<u32>)]
    downloads: Option<u32>,
    /// Name shown to recipients [default: the name of the file or directory, or stdin]
    ///
    /// Several paths are sent with the name sgsend- and eight random hex digits by default.
    #[arg(short, long, value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// Ask for a passphrase, which recipients need in addition to the link
    #[arg(short, long, conflicts_with = "passphrase_file")]
    passphrase: bool,
    /// File with the passphrase [env: SGSEND_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Make a separate link for this recipient; repeat the option for several
    ///
    /// Each link has its own expiry, download limit and passphrase, as the other options say, and can be changed and
    /// revoked with `sgsend link`. Prints a line for each link: its name, a tab and the link. The server cannot read the
    /// name.
    #[arg(short, long = "link", value_name = "NAME", value_parser = link_name, conflicts_with_all = ["qr", "copy"])]
    links: Vec<LinkName>,
    /// Upload for this request instead of making a link. Others can see arguments: - reads the request link from stdin
    ///
    /// Only the creator of the request can open the files. Prints the id of the transfer. With --sign, the creator sees
    /// who has signed.
    #[arg(long, value_name = "LINK|-", conflicts_with_all = [
        "downloads", "passphrase", "passphrase_file", "links", "notify", "separate_key",
        "link_server", "qr", "copy", "keep_key",
    ])]
    request: Option<SecretText>,
    /// Encrypt for this person, whose private key then opens the transfer; repeat the option for several
    ///
    /// TO is a public key (age1… or ssh-ed25519 …), a contact, or a file with public keys. The link then is no secret:
    /// it contains no key. A download limit is shared by all recipients, and single recipients cannot be removed later.
    #[arg(long, value_name = "TO", conflicts_with_all = ["links", "passphrase", "passphrase_file", "separate_key"])]
    to: Vec<String>,
    /// Sign the transfer with an ssh-ed25519 key [default: that of the agent, else ~/.ssh/id_ed25519]
    ///
    /// KEY is the file of the private key, or of the public key of a private one in the agent. Recipients see the
    /// signature, the server does not.
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "the value of the option is optional")]
    sign: Option<Option<PathBuf>>,
    /// Message to the recipients, who see it before they download; encrypted
    #[arg(short, long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    message: Option<String>,
    /// Notifications about the transfer [default: those of the token, else first]
    ///
    /// The operator of the server sets their targets. `sgsend watch` shows them too.
    #[arg(long, value_name = "WHICH")]
    notify: Option<NotifyName>,
    /// Show the exact size of the content to the server
    ///
    /// Without this option, up to 12 % of zeros after a small content, and 3 % after one of a gibibyte, hide its exact
    /// size.
    #[arg(long)]
    no_padding: bool,
    /// Print the link without its key on the first line and the key on the second
    #[arg(long)]
    separate_key: bool,
    /// URL of the server in the link, if recipients use another address
    /// [default: --server] [env: SGSEND_LINK_SERVER]
    #[arg(long, value_name = "URL")]
    link_server: Option<String>,
    #[command(flatten)]
    content: ContentOptions,
    /// List the files and check them against the limits of the server, without uploading
    #[arg(long)]
    dry_run: bool,
    /// Print what the server stores about the upload
    #[arg(long)]
    transparency: bool,
    #[command(flatten)]
    resume: ResumeArguments,
    #[command(flatten)]
    share: ShareOptions,
    #[command(flatten)]
    history: history::UploadArguments,
    #[command(flatten)]
    flow: FlowArguments,
}

impl Arguments {
    /// Returns whether the content is, or may be, larger than a few segments.
    pub(crate) fn is_large(&self) -> bool {
        // 8 segments.
        const MAX_SMALL: u64 = 8 << 20;
        let size = |path: &PathBuf| path.metadata().ok().filter(Metadata::is_file).map(|metadata| metadata.len());
        let sizes: Option<Vec<_>> = self.paths.iter().map(size).collect();
        self.each || sizes.is_none_or(|sizes| sizes.iter().sum::<u64>() > MAX_SMALL)
    }
}

/// Parses the name of a link.
pub(crate) fn link_name(text: &str) -> std::result::Result<LinkName, InvalidLinkName> {
    text.parse()
}

/// Runs `sgsend upload`. Handles interruption itself: the upload stays resumable or is deleted.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let mut interrupt = context.interrupt.clone();
    let (separate_key, transparency) = (arguments.separate_key, arguments.transparency);
    let (remember, share) = (arguments.history.clone(), arguments.share);
    if arguments.each {
        return each::run(arguments, context).await;
    }
    let (dry_run, is_for_request) = (arguments.dry_run, arguments.request.is_some());
    if !dry_run {
        require_stdout(if is_for_request { "the id of the transfer" } else { "the link" })?;
    }
    let (api, prepared, skipped) = tokio::select! {
        biased;
        signal = interrupt.raised() => return Err(nothing_uploaded(signal)),
        prepared = Box::pin(prepare::prepare(arguments, context)) => prepared.map_err(|error| explained(error, is_for_request))?,
    };
    if dry_run {
        return dry_run::print(&prepared, &skipped, &context.printer);
    }
    let (name, files) = (prepared.metadata.filename.clone(), prepared.source.plan().map(Plan::files));
    let link_is_chosen = prepared.link_server.is_some();
    let summary = Summary { name, files, skipped, separate_key, transparency };
    let meter = context.meter("upload");
    let sealed = prepared.sealed_size()?;
    let uploaded = match Box::pin(upload::run(&api, prepared, context.retry_policy(), meter, interrupt)).await {
        Err(error) if is_for_request => return Err(explained(error.into(), true)),
        Err(UploadError::Client(error)) if error.code() == Some(ErrorCode::QuotaExceeded) => {
            return Err(over_quota(&api, error, (&summary.name, sealed)).await);
        }
        uploaded => uploaded?,
    };
    if is_for_request {
        if let Err(error) = remember.add_guest(&uploaded, api.guest()) {
            context.printer.warning(&format!("the upload cannot be deleted by this command later: {error}"));
        }
        return summary.print_sent(&uploaded, context);
    }
    let is_read = context.printer.is_interactive() && !context.printer.is_json();
    if is_read {
        summary.print_head(&uploaded, &context.printer);
    }
    if let Err(error) = report::print(&uploaded, &summary, context) {
        // The key was never printed, so nobody can decrypt the transfer.
        return Err(unprinted(&api, &uploaded, &error).await.into());
    }
    report::warn(&uploaded, link_is_chosen, context);
    if uploaded.links.is_empty() {
        share.run(&report::link_to_print(&uploaded.link, separate_key), &context.printer);
    }
    if let Err(error) = remember.add(&[(&uploaded, &summary.name)]) {
        context.printer.warning(&format!("the upload could not be added to the history: {error}"));
    }
    if is_read {
        summary.print_rest(&uploaded, context);
    }
    if !context.printer.is_json() {
        summary.print_transparency(&uploaded, &context.printer);
    }
    Ok(())
}

/// Returns an error as a guest of a request understands it.
fn explained(error: anyhow::Error, is_for_request: bool) -> anyhow::Error {
    match guest_failure(&error).filter(|_| is_for_request) {
        Some(failure) => failure.into(),
        None => error,
    }
}

/// Describes an exceeded quota: required and remaining amounts, if the server reports them.
async fn over_quota(api: &Api, error: ClientError, (name, sealed): (&str, u64)) -> anyhow::Error {
    const ANOTHER: &str = "ask the operator of the server for another sender token";
    let Ok(token) = api.token_status().await else { return error.into() };
    let (message, hint) = match (token.max_transfers, token.max_total_bytes) {
        (Some(limit), _) if token.transfers_created >= limit => {
            let transfers = with_number(usize::try_from(limit).unwrap_or(usize::MAX), "transfer");
            (format!("the sender token has reached its limit of {transfers}"), ANOTHER.to_owned())
        }
        (_, Some(quota)) => {
            let used = token.bytes_held;
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

fn nothing_uploaded(signal: Signal) -> anyhow::Error {
    Failure::interrupted(signal).hint("nothing was uploaded").into()
}
