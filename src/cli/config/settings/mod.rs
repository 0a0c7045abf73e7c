//! Settings: merges flags, environment, profile and defaults, and binds each secret to its server.

use std::path::{Path, PathBuf};

use http::HeaderName;

use super::environment::Environment;
use super::file::Profile;
use crate::cli::failure::Failure;
use crate::cli::input::global::GlobalOptions;
use crate::cli::input::secret::SecretSource;
use crate::cli::input::server_arg;
use crate::cli::input::values::byte_rate;
use crate::client::Origin;
use crate::domain::base_url::BaseUrl;
use crate::domain::limits::ByteRate;

/// Default URL of the public service.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";
/// Default URL of the admin service.
const DEFAULT_ADMIN_SERVER: &str = "http://127.0.0.1:8081";
/// Default header of the admin key.
const DEFAULT_AUTH_NAME: HeaderName = HeaderName::from_static("x-api-key");

/// The settings of one source: flags, environment or profile.
#[derive(Clone, Default)]
struct Layer {
    server: Option<BaseUrl>,
    admin_server: Option<BaseUrl>,
    link_server: Option<BaseUrl>,
    token: Option<SecretSource>,
    admin_key: Option<SecretSource>,
    auth_name: Option<HeaderName>,
    ca_file: Option<PathBuf>,
    limit_rate: Option<ByteRate>,
}

/// Settings of all sources, highest precedence first.
pub(crate) struct UserSettings {
    flags: Layer,
    environment: Layer,
    profile: Layer,
}

impl UserSettings {
    /// Parses the settings. Relative paths in the profile are resolved against `config_directory`.
    pub(crate) fn new(
        global: &GlobalOptions,
        environment: &Environment,
        profile: &Profile,
        config_directory: &Path,
    ) -> Result<Self, Failure> {
        let flags = Layer {
            server: parse_base_url(global.server.as_deref(), "--server")?,
            admin_server: parse_base_url(global.admin_server.as_deref(), "--admin-server")?,
            link_server: None,
            token: secret(global.token.clone().map(SecretSource::Text), global.token_file.clone()),
            admin_key: secret(None, global.admin_key_file.clone()),
            auth_name: None,
            ca_file: global.ca_file.clone(),
            limit_rate: None,
        };
        let environment = Layer {
            server: parse_base_url(environment.server.as_deref(), "SGSEND_SERVER")?,
            admin_server: parse_base_url(environment.admin_server.as_deref(), "SGSEND_ADMIN_SERVER")?,
            link_server: parse_base_url(environment.link_server.as_deref(), "SGSEND_LINK_SERVER")?,
            token: environment.token.clone(),
            admin_key: environment.admin_key.clone(),
            auth_name: header(environment.auth_name.as_deref(), "SGSEND_AUTH_NAME")?,
            ca_file: None,
            limit_rate: rate(environment.limit_rate.as_deref(), "SGSEND_LIMIT_RATE")?,
        };
        let resolve_path = |path: &Option<PathBuf>| path.as_ref().map(|path| config_directory.join(path));
        let token = profile.token.clone().map(|token| SecretSource::Text(token.into()));
        let profile = Layer {
            server: parse_base_url(profile.server.as_deref(), "`server` of the profile")?,
            admin_server: parse_base_url(profile.admin_server.as_deref(), "`admin_server` of the profile")?,
            link_server: parse_base_url(profile.link_server.as_deref(), "`link_server` of the profile")?,
            token: secret(token, resolve_path(&profile.token_file)),
            admin_key: secret(None, resolve_path(&profile.admin_key_file)),
            auth_name: header(profile.auth_name.as_deref(), "`auth_name` of the profile")?,
            ca_file: resolve_path(&profile.ca_file),
            limit_rate: rate(profile.limit_rate.as_deref(), "`limit_rate` of the profile")?,
        };
        Ok(Self { flags, environment, profile })
    }

    /// Returns the URL of the current public service.
    pub(crate) fn server(&self) -> BaseUrl {
        self.first(|layer| layer.server.clone()).unwrap_or_else(|| parse_default(DEFAULT_SERVER))
    }

    /// Returns the URL of the current admin service.
    pub(crate) fn admin_server(&self) -> BaseUrl {
        self.first(|layer| layer.admin_server.clone()).unwrap_or_else(|| parse_default(DEFAULT_ADMIN_SERVER))
    }

    /// Returns whether a flag, the environment or the profile names the public service.
    pub(crate) fn names_server(&self) -> bool {
        self.first(|layer| layer.server.as_ref()).is_some()
    }

    /// Returns whether a flag, the environment or the profile names the admin service.
    pub(crate) fn names_admin_server(&self) -> bool {
        self.first(|layer| layer.admin_server.as_ref()).is_some()
    }

    /// Returns the base URL that the user has chosen for links to transfers of the current server.
    ///
    /// Like a token, the value of the environment or a profile belongs to the server of that source.
    pub(crate) fn link_server(&self) -> Option<&BaseUrl> {
        let (current, default) = (self.server(), parse_default(DEFAULT_SERVER));
        let candidates = [
            (&self.environment.link_server, self.environment.server.as_ref().unwrap_or(&current)),
            (&self.profile.link_server, self.profile.server.as_ref().unwrap_or(&default)),
        ];
        let own = candidates.into_iter().filter(|(_, owner)| Origin::from(*owner) == Origin::from(&current));
        own.into_iter().find_map(|(link_server, _)| link_server.as_ref())
    }

    /// Returns the header of the admin key.
    pub(crate) fn auth_name(&self) -> HeaderName {
        self.first(|layer| layer.auth_name.clone()).unwrap_or(DEFAULT_AUTH_NAME)
    }

    /// Returns the PEM file with additional CA certificates.
    pub(crate) fn ca_file(&self) -> Option<PathBuf> {
        self.first(|layer| layer.ca_file.clone())
    }

    /// Returns the limit on the rate of payload bytes.
    pub(crate) fn limit_rate(&self) -> Option<ByteRate> {
        self.first(|layer| layer.limit_rate)
    }

    /// Returns the sender token for `origin` with the highest precedence.
    pub(crate) fn token_of(&self, origin: &Origin) -> Option<&SecretSource> {
        let current = self.server();
        self.secret_of(origin, &current, DEFAULT_SERVER, |layer| (layer.token.as_ref(), layer.server.as_ref()))
    }

    /// Returns the server of the configured sender token, and a hint how to use a token at `base_url`.
    ///
    /// Returns `None` if no token is configured. Call only if [`Self::token_of`] finds no token for `base_url`.
    pub(crate) fn token_of_other_server(&self, base_url: &BaseUrl) -> Option<(Origin, String)> {
        let current = self.server();
        let in_environment = self.environment.token.is_some();
        let (owner, hint) = match (&self.flags.token, &self.environment.server, &self.profile.server) {
            (Some(_), ..) => (current, format!("add --server {base_url} if the token belongs to that server")),
            (None, None, _) if in_environment => {
                (current, format!("add --server {base_url} if the token belongs to that server"))
            }
            (None, Some(server), _) if in_environment => {
                (server.clone(), format!("set SGSEND_SERVER to {base_url} if the token belongs to that server"))
            }
            (None, _, server) => {
                self.profile.token.as_ref()?;
                let owner = server.clone().unwrap_or_else(|| parse_default(DEFAULT_SERVER));
                (owner, format!("pass a token of that server with --server {base_url} and --token-file"))
            }
        };
        Some((Origin::from(&owner), hint))
    }

    /// Returns whether a flag sets the sender token.
    pub(crate) const fn has_token_flag(&self) -> bool {
        self.flags.token.is_some()
    }

    /// Returns whether a later command without `--server` and `--token` finds a token for `origin`.
    pub(crate) fn will_find_token(&self, origin: &Origin) -> bool {
        let configured = [&self.environment, &self.profile].into_iter().find_map(|layer| layer.server.clone());
        let current = configured.unwrap_or_else(|| parse_default(DEFAULT_SERVER));
        self.secret_of(origin, &current, DEFAULT_SERVER, |layer| (layer.token.as_ref(), layer.server.as_ref()))
            .is_some()
    }

    /// Returns the sender token of the flags, or of the environment if its server is `origin` or unset.
    pub(crate) fn unsaved_token(&self, origin: &Origin) -> Option<SecretSource> {
        let matches = |server: &BaseUrl| Origin::from(server) == *origin;
        let environment = &self.environment;
        let from_environment = || environment.token.clone().filter(|_| environment.server.as_ref().is_none_or(matches));
        self.flags.token.clone().or_else(from_environment)
    }

    /// Returns the configured admin key for the current admin service.
    pub(crate) fn admin_key(&self) -> Option<SecretSource> {
        let current = self.admin_server();
        let origin = Origin::from(&current);
        let set = self.secret_of(&origin, &current, DEFAULT_ADMIN_SERVER, |layer| {
            (layer.admin_key.as_ref(), layer.admin_server.as_ref())
        });
        set.cloned()
    }

    /// Returns the secret for `origin` with the highest precedence.
    ///
    /// A secret from a flag belongs to the current server. A secret from the environment or a profile belongs to the
    /// server of that source, even if a flag names another server.
    fn secret_of<'a>(
        &'a self,
        origin: &Origin,
        current: &BaseUrl,
        default: &str,
        select: impl Fn(&'a Layer) -> (Option<&'a SecretSource>, Option<&'a BaseUrl>),
    ) -> Option<&'a SecretSource> {
        let default = parse_default(default);
        let candidates = [
            (select(&self.flags).0, current),
            (select(&self.environment).0, select(&self.environment).1.unwrap_or(current)),
            (select(&self.profile).0, select(&self.profile).1.unwrap_or(&default)),
        ];
        candidates.into_iter().filter(|(_, owner)| Origin::from(*owner) == *origin).find_map(|(secret, _)| secret)
    }

    fn first<'a, T>(&'a self, select: impl Fn(&'a Layer) -> Option<T>) -> Option<T> {
        [&self.flags, &self.environment, &self.profile].into_iter().find_map(select)
    }
}

fn secret(text: Option<SecretSource>, file: Option<PathBuf>) -> Option<SecretSource> {
    text.or_else(|| file.map(SecretSource::File))
}

fn parse_base_url(text: Option<&str>, source: &str) -> Result<Option<BaseUrl>, Failure> {
    text.map(|text| server_arg::parse_url(text, source)).transpose()
}

fn header(text: Option<&str>, source: &str) -> Result<Option<HeaderName>, Failure> {
    let parse = |text: &str| text.parse().map_err(|_| Failure::usage(format!("{source} is not a header name")));
    text.map(parse).transpose()
}

fn rate(text: Option<&str>, source: &str) -> Result<Option<ByteRate>, Failure> {
    text.map(|text| byte_rate(text).map_err(|reason| Failure::usage(format!("{source}: {reason}")))).transpose()
}

fn parse_default(text: &str) -> BaseUrl {
    text.parse().expect("default URLs are valid")
}

#[cfg(test)]
mod tests;
