//! The context of a command: settings, API clients, prompt and printer.

mod admin_key;
mod sender_token;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

pub(super) use self::sender_token::parse_pasted;
use super::failure::Failure;
use crate::cli::config::environment::Environment;
use crate::cli::config::file::{Config, Profile, why_unreadable};
use crate::cli::config::paths;
use crate::cli::config::settings::UserSettings;
use crate::cli::failure::exit::Exit;
use crate::cli::input::global::GlobalOptions;
use crate::cli::input::prompt::Prompt;
use crate::cli::input::secret::SecretSource;
use crate::cli::output::meter::Meter;
use crate::cli::output::printer::Printer;
use crate::client::{Api, ClientError, Interrupt, Origin, ProxySettings, RetryPolicy, TransportOptions};
use crate::domain::base_url::BaseUrl;

/// Timeout of a request without a payload: at most `--timeout`, and at least a quarter of it.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for establishing a connection: at most half of `--timeout`, and at least a twelfth of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings, API clients and terminal access of a command.
pub(super) struct Context {
    pub printer: Printer,
    pub environment: Environment,
    pub settings: UserSettings,
    pub prompt: Prompt,
    pub interrupt: Interrupt,
    global: GlobalOptions,
    config_file: Option<PathBuf>,
    config_required: bool,
    /// Why the default configuration cannot be read: a failure only for commands that need something in it.
    config_unreadable: Option<Failure>,
}

impl Context {
    /// Reads the environment and the configuration.
    ///
    /// If `writes_profile` is set, the requested configuration file and profile may be missing.
    pub(super) fn new(
        global: GlobalOptions,
        printer: Printer,
        interrupt: Interrupt,
        writes_profile: bool,
    ) -> Result<Self> {
        let environment = Environment::read()?;
        let named_file = global.config.clone().or_else(|| environment.config.clone());
        let config_required = named_file.is_some() && !writes_profile;
        let config_file = named_file.or_else(paths::config_file);
        let prompt = Prompt::new(global.no_input, printer.clone(), interrupt.clone());
        let empty = UserSettings::new(&global, &environment, &Profile::default(), &PathBuf::new())?;
        let mut this = Self {
            printer,
            environment,
            settings: empty,
            prompt,
            interrupt,
            global,
            config_file,
            config_required,
            config_unreadable: None,
        };
        if !config_required && this.requested_profile().is_none() {
            this.config_unreadable = this.config_file.as_deref().and_then(why_unreadable);
        }
        let config = if this.config_unreadable.is_some() { Config::default() } else { this.config()? };
        let profile = match config.profile(this.requested_profile()) {
            Err(_) if writes_profile => Profile::default(),
            profile => profile?,
        };
        let directory = this.config_file.as_deref().and_then(|file| file.parent()).map(ToOwned::to_owned);
        this.settings = UserSettings::new(&this.global, &this.environment, &profile, &directory.unwrap_or_default())?;
        Ok(this)
    }

    /// Returns the URL of the current public service.
    ///
    /// # Errors
    /// Fails if the URL may be in a configuration that cannot be read.
    pub(super) fn server(&self) -> Result<BaseUrl, Failure> {
        self.needs_config(!self.settings.names_server())?;
        Ok(self.settings.server())
    }

    fn needs_config(&self, is_needed: bool) -> Result<(), Failure> {
        self.config_unreadable.clone().filter(|_| is_needed).map_or(Ok(()), Err)
    }

    /// Returns a client of the public service at `base_url`, with its sender token if one is configured.
    pub(super) async fn api(&self, base_url: BaseUrl) -> Result<Api> {
        let origin = Origin::from(&base_url);
        let Some(source) = self.settings.token_of(&origin) else { return self.anonymous_api(base_url) };
        let text = self.read_secret(source.clone(), "sender token").await?;
        self.api_with_token(base_url, text.parse().map_err(sender_token::malformed_token)?)
    }

    /// Returns a client of the public service at `base_url`, without a sender token.
    pub(super) fn anonymous_api(&self, base_url: BaseUrl) -> Result<Api> {
        Ok(Api::new(base_url, None, &self.transport_options()?)?)
    }

    /// Returns a client of the service that listens at a Unix socket, without a sender token.
    pub(super) fn socket_api(&self, path: &Path) -> Result<Api> {
        let base_url = "http://localhost".parse().expect("a valid URL");
        let options = TransportOptions { unix_socket: Some(path.to_owned()), ..self.transport_options()? };
        Ok(Api::new(base_url, None, &options)?)
    }

    /// Returns the TLS and timeout options of connections.
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
            call_timeout: CALL_TIMEOUT.min(self.global.timeout).max(self.global.timeout / 4),
            connect_timeout: CONNECT_TIMEOUT.min(self.global.timeout / 2).max(self.global.timeout / 12),
            proxies: self.proxies(),
            unix_socket: None,
        })
    }

    /// Returns the proxies that the environment names.
    #[expect(clippy::unused_self, reason = "the environment belongs to the context")]
    pub(super) fn proxies(&self) -> ProxySettings {
        ProxySettings::new(|name| std::env::var(name).ok())
    }

    /// Returns the retry policy of transfers: retries end after `--timeout` without progress.
    pub(super) fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(self.global.timeout)
    }

    /// Makes an idempotent call, and retries it while the service or its proxy restarts.
    pub(super) async fn first_call<T, F>(&self, call: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        self.retry_policy().first_call(&*self.meter("request"), call).await
    }

    /// Returns a progress display for `phase`.
    pub(super) fn meter(&self, phase: &'static str) -> Arc<Meter> {
        Arc::new(Meter::new(self.printer.clone(), phase))
    }

    /// Returns the path of the configuration file; `None` for a user without a home directory.
    ///
    /// The file may be missing.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// Reads the configuration file.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        match &self.config_file {
            Some(path) => Config::read(path, self.config_required),
            None => Ok(Config::default()),
        }
    }

    /// Returns the path of the configuration file.
    ///
    /// # Errors
    /// Fails for a user without a home directory.
    pub(super) fn config_path(&self) -> Result<PathBuf, Failure> {
        self.config_file.clone().ok_or_else(|| {
            Failure::usage("no home directory to save the configuration in").hint("name a file with --config")
        })
    }

    /// Changes the current profile and saves it; creates a missing profile.
    pub(super) fn change_profile(&self, change: impl FnOnce(&mut Profile)) -> Result<PathBuf, Failure> {
        let path = self.config_path()?;
        // A named file may be missing: it is created here.
        let mut config = Config::read(&path, false)?;
        let name = self.profile_name(&config);
        change(config.profiles.entry(name).or_default());
        config.write(&path)?;
        Ok(path)
    }

    /// Reads a secret on a blocking thread, so that signals are still handled.
    pub(super) async fn read_secret(
        &self,
        source: SecretSource,
        what: &'static str,
    ) -> Result<zeroize::Zeroizing<String>> {
        let read = move || source.read(what);
        Ok(tokio::task::spawn_blocking(read).await.expect("reading a secret does not panic")?)
    }

    /// Returns `-P NAME ` if the command line names a profile, otherwise an empty string.
    pub(super) fn profile_flag(&self) -> String {
        let quoted = |name: &String| format!("-P {} ", crate::cli::output::escape::for_shell(Path::new(name)));
        self.global.profile.as_ref().map(quoted).unwrap_or_default()
    }

    /// Returns the name of the current profile.
    fn profile_name(&self, config: &Config) -> String {
        config.profile_name(self.requested_profile()).to_owned()
    }

    fn requested_profile(&self) -> Option<&str> {
        self.global.profile.as_deref().or(self.environment.profile.as_deref())
    }
}
