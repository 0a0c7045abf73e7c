//! `sgsend download`: downloads and decrypts the files of a link.

mod list;
mod report;
mod secret;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use tokio::task::spawn_blocking;

pub(crate) use self::report::report;
pub(crate) use self::secret::required_signature;
use self::secret::{OpenedLink, Secret};
use super::history;
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::input::flow::FlowArguments;
use crate::cli::input::identity::IdentityOptions;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::cli::input::values::positive_size;
use crate::cli::output::target::{OutputOptions, OutputTarget};
use crate::cli::output::{info, sender};
use crate::client::download::{self, Download, DownloadError, GrantFile, Selected, SenderOptions};
use crate::client::pack::PathGlobs;
use crate::client::{Api, FlowChoice, Progress};
use crate::domain::crypto::envelope::least_content_size;
use crate::domain::crypto::key::{LinkKey, LinkSecret};
use crate::domain::crypto::passphrase::Passphrase;
use crate::domain::crypto::sealed::Layout;
use crate::domain::id::TransferId;
use crate::domain::wire::{LinkStatus, TransferStatus};

/// Arguments of `sgsend download`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Link, id of a transfer on the current server, or - for stdin [default: ask for it]
    #[arg(value_name = "LINK|ID|-")]
    link: Option<SecretText>,
    #[command(flatten)]
    target: OutputOptions,
    /// Resume an unfinished download, if there is one
    #[arg(long)]
    resume: bool,
    /// List the files of an archive instead of saving them
    ///
    /// Reads the archive's index only, and counts as a download; a following download of the same transfer by this user
    /// does not count again. Shows what the index says: a file is checked when it is saved. A single file is listed
    /// without a download.
    #[arg(long, conflicts_with_all = ["only", "resume", "max_download_size", "output", "overwrite", "rename", "extract", "no_extract"])]
    list: bool,
    /// Save only the entries of an archive whose path or name matches GLOB; can be repeated
    ///
    /// A matching directory is saved with its content. Only the needed parts are downloaded, as one download. With -o -,
    /// a single file is written as itself.
    #[arg(long, value_name = "GLOB")]
    only: Vec<OsString>,
    /// Maximum content size; a larger content is not saved
    ///
    /// Padding hides the exact size, so a content that is larger by up to 12 % is refused only after the download was
    /// counted.
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_download_size: Option<ByteSize>,
    /// Accept only a transfer with a valid signature; of this contact, if NAME is given
    ///
    /// A name is that of a contact with an ssh-ed25519 key. Anything else is exit 6, and nothing is saved.
    #[arg(
        long, value_name = "NAME", num_args = 0..=1, require_equals = true,
        conflicts_with_all = ["list", "only"]
    )]
    #[allow(clippy::option_option, reason = "the value of the option is optional")]
    require_signature: Option<Option<String>>,
    #[command(flatten)]
    key: KeyArguments,
    #[command(flatten)]
    identity: IdentityOptions,
    #[command(flatten)]
    flow: FlowArguments,
}

/// Options for a key and a passphrase that are not part of the link.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(crate) struct KeyArguments {
    /// Key, or - for stdin. Others can see arguments: a file or the environment is safer [env: SGSEND_KEY]
    #[arg(short, long, value_name = "KEY", conflicts_with = "key_file")]
    pub key: Option<SecretText>,
    /// File with the key
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Ask for the passphrase
    #[arg(short, long, conflicts_with = "passphrase_file")]
    pub passphrase: bool,
    /// File with the passphrase [env: SGSEND_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Runs `sgsend download`. Handles interruption itself: the partial download stays resumable or is removed.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let mut interrupt = context.interrupt.clone();
    if arguments.list {
        return list::run(arguments, context).await;
    }
    let only = (!arguments.only.is_empty()).then(|| globs(&arguments.only)).transpose()?;
    let (api, grant_file, parameters) = tokio::select! {
        biased;
        signal = interrupt.raised() => return Err(Failure::interrupted(signal).hint("nothing was downloaded").into()),
        prepared = Box::pin(prepare(arguments, context)) => prepared?,
    };
    let (meter, retry_policy, id) = (context.meter("download"), context.retry_policy(), parameters.status.transfer_id);
    let downloaded = match only {
        None => Box::pin(download::run(&api, parameters, &grant_file, retry_policy, meter, interrupt)).await?,
        Some(globs) => {
            let chosen = (parameters, Selected(globs));
            Box::pin(download::run_selected(&api, chosen, &grant_file, retry_policy, meter, interrupt)).await?
        }
    };
    if let Some(wrong) = &downloaded.wrong_info {
        context.printer.warning(&format!("the sender announced other content than was sent: {}", info::line(wrong)));
    }
    report(&downloaded.decrypted, Some((id, downloaded.flow)), context)?;
    match &downloaded.decrypted.sender {
        Some(sender) => sender::print_verified(sender, &context.printer),
        None if downloaded.decrypted.metadata.as_ref().is_some_and(|metadata| metadata.signed) => {
            sender::warn_unchecked(&context.printer);
        }
        None => {}
    }
    Ok(())
}

/// Reads the link and the secrets and checks the output, before the server counts a download.
async fn prepare(arguments: Arguments, context: &Context) -> Result<(Api, GrantFile, Download)> {
    let (is_partial, resume) = (!arguments.only.is_empty(), arguments.resume);
    let required = required_signature(arguments.require_signature.as_ref(), arguments.target.writes_stdout())?;
    let target = LinkArgument::read(arguments.link.as_ref(), context).await?;
    let grant_file = GrantFile::new(paths::downloads_directory().as_deref(), &target.base_url, target.id);
    if context.printer.is_interactive() && !is_partial {
        match (resume, grant_file.has_partial()) {
            (true, false) => context.printer.note("no unfinished download of this transfer: starting a new one"),
            (false, true) => {
                context.printer.note("an unfinished download of this transfer exists: resume it with --resume");
            }
            _ => {}
        }
    }
    let base_url = target.base_url.clone();
    let api = context.anonymous_api(target.base_url)?.limited_to(arguments.flow.rate(context));
    let flow = arguments.flow.choice();
    let secret = Secret::Unread(arguments.key, target.key, arguments.identity);
    let (status, secret) = check(&api, target.id, (flow, secret), &grant_file, context).await?;
    // An unfinished download of the whole archive keeps its part file.
    let mark = format!("{}{}", &target.id.to_string()[..8], if is_partial { "-only" } else { "" });
    let target_path = OutputTarget::new(&arguments.target, mark, &context.prompt, context.printer.clone());
    let size = Layout::of_sealed(status.size_bytes).ok().map(|layout| layout.plaintext_size());
    // The exact size is encrypted, so the rest is checked once the download has begun.
    let least = size.filter(|_| !is_partial).map(least_content_size);
    if let (Some(limit), Some(least)) = (arguments.max_download_size, least)
        && least > limit.0
    {
        let failure = Failure::download_too_large(least, limit);
        return Err(failure.hint("nothing was downloaded or counted; raise --max-download-size to download it").into());
    }
    let output = resolve_target(target_path, size.filter(|_| !is_partial)).await?;
    let OpenedLink { secret, keys, opener } = secret.read(&api, target.id, context).await?;

    let choose = output.into_choice();
    let max_size = arguments.max_download_size.map(|limit| limit.0);
    let sender = SenderOptions { base_url, keys, opener, required };
    let download = Download { status, secret, choose, flow, resume, max_size, sender };
    Ok((api, grant_file, download))
}

/// Checks that the link can be downloaded, and returns its status. Records its end in the history.
async fn check(
    api: &Api,
    id: TransferId,
    (flow, secret): (FlowChoice, Secret),
    grant_file: &GrantFile,
    context: &Context,
) -> Result<(TransferStatus, Secret)> {
    let progress = context.meter("download");
    let checked = download::check(api, id, flow, grant_file, (&context.retry_policy(), &*progress)).await;
    if let Err(DownloadError::Gone(status)) = &checked {
        history::record_end(id, *status, Some(api.base_url()));
    }
    let (status, secret) = match checked? {
        LinkStatus::Full(status) => (*status, secret),
        // Only clients with the key of a further link see more than its state.
        LinkStatus::Redacted(_) => {
            let opened = secret.read(api, id, context).await?;
            let (proof, retry) = (opened.secret.access_proof(), context.retry_policy());
            let further = (&proof, &retry, &*progress as &dyn Progress);
            let status = download::check_with_proof(api, id, flow, grant_file, further).await?;
            (status, Secret::Read(opened))
        }
    };
    // Without a download limit, another download costs nothing.
    if status.max_downloads.is_some() && !grant_file.is_possible() {
        context
            .printer
            .warning("the state directory is not writable: a retry after a failure counts as another download");
    }
    Ok((status, secret))
}

/// Parses the globs of `--only`.
fn globs(texts: &[OsString]) -> Result<PathGlobs> {
    Ok(PathGlobs::parse(texts)
        .map_err(|error| Failure::usage(error.to_string()).hint("`*`, `?`, `**`, `[…]` and `{…,…}` have a meaning"))?)
}

/// Checks the output target for about `size` bytes of content before the download. Runs on a blocking thread.
pub(crate) async fn resolve_target(mut target: OutputTarget, size: Option<u64>) -> Result<OutputTarget> {
    let resolve_target = move || target.resolve(size).map(|()| target);
    Ok(spawn_blocking(resolve_target).await.expect("checking the output target does not panic")?)
}

/// Returns the secret of the link, derived with the passphrase if there is one.
pub(crate) async fn link_secret(
    link_key: LinkKey,
    ask: bool,
    file: Option<PathBuf>,
    context: &Context,
) -> Result<LinkSecret> {
    let file = file.or_else(|| context.environment.passphrase_file.clone().filter(|_| link_key.needs_passphrase()));
    let passphrase: Option<Passphrase> = if link_key.needs_passphrase() {
        Some(context.prompt.passphrase(file.filter(|_| !ask), false).await?)
    } else if ask || file.is_some() {
        return Err(Failure::usage("this link has no passphrase").hint("omit the passphrase").into());
    } else {
        None
    };
    let derive = move || link_key.unlock(passphrase.as_ref());
    let secret = spawn_blocking(derive).await.expect("deriving a key does not panic");
    Ok(secret.map_err(|error| Failure::usage(error.to_string()))?)
}
