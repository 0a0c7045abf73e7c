//! Everything before the transfer is created: opens the input, reads the secrets, checks the limits.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use tokio::task::spawn_blocking;

use super::Arguments;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::content::{Input, check_paths_exist};
use crate::cli::input::link_arg::reject_link;
use crate::cli::input::plugin_dialogue::plugins;
use crate::cli::input::recipients::recipients;
use crate::cli::input::request_link::request_link;
use crate::cli::input::{server_arg, signer};
use crate::cli::output::plural::with_number;
use crate::client::Api;
use crate::client::pack::SkippedEntry;
use crate::client::upload::{
    self, RequestTarget, StateFileLocation, StatementSigner, UnfinishedUpload, Upload, UploadError,
};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::envelope::{Archive, Metadata};
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::label::LinkName;
use crate::domain::crypto::padding::Padding;
use crate::domain::crypto::passphrase::Passphrase;
use crate::domain::link::RequestLink;
use crate::domain::people::recipient_keys::RecipientKey;
use crate::domain::wire::Health;

impl Arguments {
    /// Returns a digest of server, paths and options, by which `--resume` finds an unfinished upload.
    fn digest(&self, paths: &[PathBuf], request: Option<&RequestLink>, context: &Context) -> Result<Sha256> {
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
        let paths = paths.iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
        let has_passphrase = self.request.is_none()
            && (self.passphrase || self.passphrase_file.is_some() || context.environment.passphrase_file.is_some());
        let terms = (
            request.map_or_else(|| context.settings.server().to_string(), RequestLink::without_secret),
            paths,
            (&self.content.exclude, self.content.dereference, self.content.skip_unsendable),
            self.name.as_deref(),
            self.expires.map(|expires| expires.as_secs()),
            self.downloads,
            (has_passphrase, self.no_padding, &self.message, &self.links),
            (&self.to, &self.sign),
            self.notify.map(|notify| format!("{notify:?}")),
            format!("{:?}", self.flow.choice()),
        );
        Ok(Sha256::of(&serde_json::to_vec(&terms)?))
    }
}

/// Fails if two links have the same name, since their lines could not be told apart.
fn check_names(links: &[LinkName]) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    match links.iter().find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(twice) => Err(Failure::usage(format!("--link {twice} is given twice")).hint("choose another name")),
    }
}

/// Fails if a guest names recipients: nobody but the owner of the request gets the id or a link.
fn check_recipients(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.request.is_none() || arguments.to.is_empty() {
        return Ok(());
    }
    let message = "--to cannot be used with --request: only the creator of the request gets and opens the files";
    let hint = "send the files to others with an upload of your own: sgsend upload FILES --to TO";
    Err(Failure::usage(message).hint(hint))
}

/// Warns of recipients whom the server, and everybody with the link, can recognise.
fn warn_of_tags(recipients: &[RecipientKey], context: &Context) {
    let tagged = recipients.iter().filter(|recipient| recipient.is_recognisable()).count();
    if tagged > 0 {
        let keys = with_number(tagged, "recipient");
        context.printer.warning(&format!(
            "{keys} with an SSH key or a plugin can be recognised by the server and by everybody with the link who has the public \
             key; age keys (age1…) hide that"
        ));
    }
}

/// Input that all transfers of one command share.
pub(super) struct SharedInput {
    pub api: Api,
    request: Option<RequestTarget>,
    terms: UploadTerms,
    passphrase: Option<Passphrase>,
    signer: Option<Arc<dyn StatementSigner>>,
    health: Health,
}

/// Recipients of the transfers of a command, and the base URL of their links.
pub(super) struct UploadTerms {
    recipients: Vec<RecipientKey>,
    /// Base URL of the links, if the user has chosen one.
    link_server: Option<BaseUrl>,
}

/// Unfinished upload of a command, with the digest by which it is found.
pub(super) struct EarlierState {
    command: Sha256,
    unfinished: Option<Box<UnfinishedUpload>>,
}

/// Opens the input, reads the secrets and checks the server's limits, before creating the transfer. Also returns the
/// skipped entries.
pub(super) async fn prepare(arguments: Arguments, context: &Context) -> Result<(Api, Upload, Vec<SkippedEntry>)> {
    arguments.paths.iter().try_for_each(|path| reject_link(path))?;
    check_names(&arguments.links)?;
    check_recipients(&arguments)?;
    let mut terms = UploadTerms::of(&arguments, context)?;
    if arguments.passphrase {
        check_paths_exist(&arguments.paths)?;
    }
    let request = match &arguments.request {
        Some(text) => Some(request_link(text, context).await?),
        None => None,
    };
    if let Some(link) = &request {
        // A signature is made for the address in the link, by which the owner verifies it.
        terms.link_server = Some(link.base_url.clone());
    }
    let api = api_of(&arguments, request.as_ref(), context).await?;
    let earlier = earlier(&arguments, &arguments.paths, request.as_ref(), &api, context).await?;
    let api = match &request {
        Some(_) => {
            let guest = earlier.unfinished.as_ref().and_then(|unfinished| unfinished.guest().cloned());
            api.as_guest(guest.unwrap_or_else(GuestProof::random))
        }
        None => api,
    };
    let shared = Box::pin(share(&arguments, terms, (api, request), earlier.unfinished.as_deref(), context)).await?;
    if arguments.paths == [Path::new("-")] && io::stdin().is_terminal() {
        context.printer.note("reading from the terminal until Ctrl-D on an empty line");
    }
    let (upload, skipped) = open(&arguments, &shared, arguments.paths.clone(), earlier, context).await?;
    Ok((shared.api, upload, skipped))
}

/// Returns the client of the server, or of that of the request.
pub(super) async fn api_of(arguments: &Arguments, request: Option<&RequestLink>, context: &Context) -> Result<Api> {
    let api = match request {
        Some(link) => context.api_with_token(link.base_url.clone(), link.token())?,
        None => context.sender_api(context.server()?).await?,
    };
    Ok(api.limited_to(arguments.flow.rate(context)))
}

/// Finds the unfinished upload of `paths`.
pub(super) async fn earlier(
    arguments: &Arguments,
    paths: &[PathBuf],
    request: Option<&RequestLink>,
    api: &Api,
    context: &Context,
) -> Result<EarlierState> {
    let command = arguments.digest(paths, request, context)?;
    let unfinished = arguments.resume.find(command, api, context).await?.filter(|_| !arguments.dry_run);
    Ok(EarlierState { command, unfinished })
}

impl UploadTerms {
    /// Reads the options.
    pub(super) fn of(arguments: &Arguments, context: &Context) -> Result<Self> {
        let recipients = recipients(&arguments.to, &plugins(context))?;
        warn_of_tags(&recipients, context);
        let link_server = match &arguments.link_server {
            Some(url) => Some(server_arg::parse_url(url, "--link-server")?),
            None => context.settings.link_server().cloned(),
        };
        Ok(Self { recipients, link_server })
    }
}

/// Reads the secrets, and asks the server for its limits. The caller may resume an `unfinished` upload.
pub(super) async fn share(
    arguments: &Arguments,
    terms: UploadTerms,
    (api, request): (Api, Option<RequestLink>),
    unfinished: Option<&UnfinishedUpload>,
    context: &Context,
) -> Result<SharedInput> {
    // The saved state of an unfinished upload tells a mistyped passphrase apart, so the user types it once.
    let is_new = unfinished.is_none_or(|unfinished| !unfinished.needs_passphrase());
    let file = arguments.passphrase_file.clone().or_else(|| context.environment.passphrase_file.clone());
    let passphrase = match file {
        _ if arguments.dry_run || request.is_some() => None,
        None if !arguments.passphrase => None,
        Some(file) if !arguments.passphrase => Some(context.prompt.passphrase(Some(file), is_new).await?),
        _ => Some(context.prompt.passphrase(None, is_new).await?),
    };
    let signer = match &arguments.sign {
        Some(key) if !arguments.dry_run => Some(signer::signer(key.as_deref(), context).await?),
        _ => None,
    };
    let health = context.first_call(|| api.health()).await.map_err(|error| match unfinished {
        Some(unfinished) => UploadError::from(error).or_unfinished(unfinished.id()),
        None => error.into(),
    })?;
    let request = request.map(|RequestLink { secret, recipient, .. }| RequestTarget { secret, recipient });
    Ok(SharedInput { api, request, terms, passphrase, signer, health })
}

/// Opens `paths` as the content of one transfer, and checks it against the server's limits.
pub(super) async fn open(
    arguments: &Arguments,
    shared: &SharedInput,
    paths: Vec<PathBuf>,
    EarlierState { command, unfinished }: EarlierState,
    context: &Context,
) -> Result<(Upload, Vec<SkippedEntry>)> {
    let input = Input {
        paths,
        name: arguments.name.clone(),
        options: arguments.content.clone(),
        limit: shared.health.limits.max_content_bytes,
    };
    let opened = spawn_blocking(move || input.open()).await.expect("opening files does not panic")?;
    for skipped in &opened.skipped {
        context.printer.warning(&format!("{} {}; it is skipped", skipped.path, skipped.reason));
    }
    for glob in &opened.unused_globs {
        context.printer.warning(&format!("--exclude {} matches nothing", glob.display()));
    }
    if opened.is_renamed {
        context.printer.warning(&format!("recipients see the name {}", opened.name));
    }
    let source = opened.source;
    let metadata = Metadata {
        filename: opened.name,
        size: source.size(),
        content_type: None,
        modified_ms: source.modified_ms().filter(|_| !opened.is_stream),
        archive: source.plan().map(|_| Archive::Tar),
        mode: source.mode(),
        signed: shared.signer.is_some(),
    };
    let upload = Upload {
        source,
        metadata,
        message: arguments.message.clone(),
        padding: if arguments.no_padding { Padding::None } else { Padding::Padme },
        passphrase: shared.passphrase.clone(),
        expires: arguments.expires,
        max_downloads: arguments.downloads,
        links: arguments.links.clone(),
        recipients: shared.terms.recipients.clone(),
        signer: shared.signer.clone(),
        notify: arguments.notify.map(Into::into),
        request: shared.request.clone(),
        state: if opened.is_spooled { StateFileLocation::Disabled } else { arguments.resume.state_location(command) },
        unfinished,
        flow: arguments.flow.choice(),
        link_server: shared.terms.link_server.clone(),
    };
    upload::check(&shared.api, &upload, &shared.health)?;
    Ok((upload, opened.skipped))
}
