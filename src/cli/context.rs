//! What a command works with: the settings, the services they lead to, and the person at the terminal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::arguments::Global;
use super::config::{Config, Profile};
use super::environment::Environment;
use super::exit::Exit;
use super::failure::Failure;
use super::meter::Meter;
use super::paths;
use super::printer::Printer;
use super::prompt::Prompt;
use super::secret_input::SecretSource;
use super::settings::Settings;
use crate::client::{AdminApi, AdminSecret, Api, Bound, Interrupt, Origin, Patience, TransportOptions};
use crate::domain::root::ServerRoot;
use crate::domain::token::InvalidToken;

/// A text that is no sender token, of which nothing is repeated.
pub(super) fn malformed_token(error: InvalidToken) -> Failure {
    Failure::usage(error.to_string()).hint("copy all of it, from sgs_ to its last letter, and nothing else")
}

/// The longest that a call takes which moves no payload.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What every command is given.
pub(super) struct Context {
    pub printer: Printer,
    pub environment: Environment,
    pub settings: Settings,
    pub prompt: Prompt,
    pub interrupt: Interrupt,
    global: Global,
    config_file: Option<PathBuf>,
    config_asked_for: bool,
}

impl Context {
    /// Reads environment and configuration. A file or profile that is named need not exist where the command
    /// `makes_profile`.
    pub(super) fn new(global: Global, printer: Printer, interrupt: Interrupt, makes_profile: bool) -> Result<Self> {
        let environment = Environment::read();
        let asked_for = global.config.clone().or_else(|| environment.config.clone());
        let config_asked_for = asked_for.is_some() && !makes_profile;
        let config_file = asked_for.or_else(paths::config_file);
        let prompt = Prompt::new(global.no_input, global.yes);
        let empty = Settings::new(&global, &environment, &Profile::default(), &PathBuf::new())?;
        let mut this =
            Self { printer, environment, settings: empty, prompt, interrupt, global, config_file, config_asked_for };
        let profile = match this.config()?.profile(this.profile_asked_for()) {
            Err(_) if makes_profile => Profile::default(),
            profile => profile?,
        };
        let directory = this.config_file.as_deref().and_then(|file| file.parent()).map(ToOwned::to_owned);
        this.settings = Settings::new(&this.global, &this.environment, &profile, &directory.unwrap_or_default())?;
        Ok(this)
    }

    /// The public service at `root`, with the token for it where there is one.
    pub(super) async fn api(&self, root: ServerRoot) -> Result<Api> {
        let origin = Origin::from(&root);
        let token = match self.settings.token_of(&origin) {
            None => None,
            Some(source) => {
                let text = self.read_secret(source.clone(), "sender token").await?;
                let token = text.parse().map_err(malformed_token)?;
                Some(Arc::new(Bound::new(origin, token)))
            }
        };
        Ok(Api::new(root, token, &self.transport_options()?)?)
    }

    /// The public service at `root`, for a call that needs a token.
    pub(super) async fn api_as_sender(&self, root: ServerRoot) -> Result<Api> {
        let origin = Origin::from(&root);
        if self.settings.token_of(&origin).is_none() {
            return Err(self.no_token(&root).into());
        }
        self.api(root).await
    }

    /// What is said where no sender token belongs to `root`.
    fn no_token(&self, root: &ServerRoot) -> Failure {
        let (origin, in_use) = (Origin::from(root), Origin::from(&self.settings.server()));
        let failure = |message: String| Failure::new(Exit::NotAuthorised, "token_missing", message);
        if let Some((owner, hint)) = self.settings.token_elsewhere(root) {
            let where_to = if origin == in_use { "the server in use is" } else { "the link leads to" };
            return failure(format!("the sender token is for {owner}, and {where_to} {origin}")).hint(hint);
        }
        let hint = if origin == in_use {
            "give one with --token-file or SGSEND_TOKEN, or keep one with `sgsend login`".to_owned()
        } else {
            format!("give one with --server {root} and --token-file, or keep one with `sgsend login {root}`")
        };
        failure(format!("there is no sender token for {origin}")).hint(hint)
    }

    /// The public service at `root`, without any token.
    pub(super) fn api_as_anybody(&self, root: ServerRoot) -> Result<Api> {
        Ok(Api::new(root, None, &self.transport_options()?)?)
    }

    /// The admin service in use.
    pub(super) async fn admin_api(&self) -> Result<AdminApi> {
        let root = self.settings.admin_server();
        let origin = Origin::from(&root);
        let Some(source) = self.settings.admin_key() else {
            let failure =
                Failure::new(Exit::NotAuthorised, "admin_key_missing", format!("there is no admin key for {origin}"));
            return Err(failure.hint("give it with --admin-key-file or SGSEND_ADMIN_KEY").into());
        };
        let key = self.read_secret(source, "admin key").await?;
        let secret = AdminSecret { header: self.settings.auth_name(), key };
        Ok(AdminApi::new(root, Arc::new(Bound::new(origin, secret)), &self.transport_options()?)?)
    }

    /// How connections are made.
    pub(super) fn transport_options(&self) -> Result<TransportOptions, Failure> {
        let read = |path: PathBuf| {
            std::fs::read(&path).map_err(|error| {
                let message = format!("the certificates in {} cannot be read: {error}", path.display());
                Failure::new(Exit::LocalFile, "ca_file", message)
            })
        };
        Ok(TransportOptions {
            extra_roots: self.settings.ca_file().map(read).transpose()?,
            insecure_http: self.global.insecure_http,
            call_timeout: CALL_TIMEOUT.min(self.global.timeout),
        })
    }

    /// How long transfers go on without progress.
    pub(super) fn patience(&self) -> Patience {
        Patience::new(self.global.timeout)
    }

    /// What shows how far a transfer is.
    pub(super) fn meter(&self, phase: &'static str) -> Arc<Meter> {
        Arc::new(Meter::new(self.printer.clone(), phase))
    }

    /// Where the configuration is, or would be; `None` for a user without a home.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// The configuration as it is.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        match &self.config_file {
            Some(path) => Config::read(path, self.config_asked_for),
            None => Ok(Config::default()),
        }
    }

    /// Changes the profile in use, making it where there is none, and keeps it.
    pub(super) fn change_profile(&self, change: impl FnOnce(&mut Profile)) -> Result<PathBuf, Failure> {
        let Some(path) = self.config_file.clone() else {
            return Err(Failure::usage("there is no home directory to keep a configuration in")
                .hint("name a file with --config"));
        };
        // A file that is named and does not exist yet is made here.
        let mut config = Config::read(&path, false)?;
        let name = config.profile_name(self.profile_asked_for()).to_owned();
        change(config.profiles.entry(name).or_default());
        config.write(&path)?;
        Ok(path)
    }

    /// Reads a secret, while signals are still heard.
    pub(super) async fn read_secret(
        &self,
        source: SecretSource,
        what: &'static str,
    ) -> Result<zeroize::Zeroizing<String>> {
        let read = move || source.read(what);
        Ok(tokio::task::spawn_blocking(read).await.expect("reading a secret does not panic")?)
    }

    /// The flag that names the profile again, where this command line has named it, and a space.
    pub(super) fn profile_flag(&self) -> String {
        let quoted = |name: &String| format!("-P {} ", super::escape::for_shell(Path::new(name)));
        self.global.profile.as_ref().map(quoted).unwrap_or_default()
    }

    fn profile_asked_for(&self) -> Option<&str> {
        self.global.profile.as_deref().or(self.environment.profile.as_deref())
    }
}
