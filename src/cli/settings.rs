//! Settings: what flags, environment, profile and defaults come to, and which secret belongs to which server.

use std::path::{Path, PathBuf};

use http::HeaderName;

use super::arguments::Global;
use super::config::Profile;
use super::environment::Environment;
use super::failure::Failure;
use super::paths;
use super::secret_input::SecretSource;
use crate::client::Origin;
use crate::domain::root::ServerRoot;

/// The public service of those who name none.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";
/// The admin service of those who name none.
const DEFAULT_ADMIN_SERVER: &str = "http://127.0.0.1:8081";
/// The header of the admin key, unless it was renamed.
const DEFAULT_AUTH_NAME: HeaderName = HeaderName::from_static("x-api-key");

/// What one source of settings says.
#[derive(Clone, Default)]
struct Layer {
    server: Option<ServerRoot>,
    admin_server: Option<ServerRoot>,
    token: Option<SecretSource>,
    admin_key: Option<SecretSource>,
    auth_name: Option<HeaderName>,
    ca_file: Option<PathBuf>,
}

/// All that is set, the strongest first.
pub(super) struct Settings {
    flags: Layer,
    environment: Layer,
    profile: Layer,
}

impl Settings {
    /// Parses what is set. `config_directory` is where the profile's relative paths begin.
    pub(super) fn new(
        global: &Global,
        environment: &Environment,
        profile: &Profile,
        config_directory: &Path,
    ) -> Result<Self, Failure> {
        let flags = Layer {
            server: root(global.server.as_deref(), "--server")?,
            admin_server: root(global.admin_server.as_deref(), "--admin-server")?,
            token: secret(global.token.clone().map(SecretSource::Text), global.token_file.clone()),
            admin_key: secret(None, global.admin_key_file.clone()),
            auth_name: None,
            ca_file: global.ca_file.clone(),
        };
        let environment = Layer {
            server: root(environment.server.as_deref(), "SGSEND_SERVER")?,
            admin_server: root(environment.admin_server.as_deref(), "SGSEND_ADMIN_SERVER")?,
            token: environment.token.clone(),
            admin_key: environment.admin_key.clone(),
            auth_name: header(environment.auth_name.as_deref(), "SGSEND_AUTH_NAME")?,
            ca_file: None,
        };
        let beside = |path: &Option<PathBuf>| path.as_ref().map(|path| config_directory.join(path));
        let token = profile.token.clone().map(|token| SecretSource::Text(token.into()));
        let profile = Layer {
            server: root(profile.server.as_deref(), "`server` of the profile")?,
            admin_server: root(profile.admin_server.as_deref(), "`admin_server` of the profile")?,
            token: secret(token, beside(&profile.token_file)),
            admin_key: secret(None, beside(&profile.admin_key_file)),
            auth_name: header(profile.auth_name.as_deref(), "`auth_name` of the profile")?,
            ca_file: beside(&profile.ca_file),
        };
        Ok(Self { flags, environment, profile })
    }

    /// The public service to use.
    pub(super) fn server(&self) -> ServerRoot {
        self.first(|layer| layer.server.clone()).unwrap_or_else(|| parse_default(DEFAULT_SERVER))
    }

    /// The admin service to use.
    pub(super) fn admin_server(&self) -> ServerRoot {
        self.first(|layer| layer.admin_server.clone()).unwrap_or_else(|| parse_default(DEFAULT_ADMIN_SERVER))
    }

    /// The header that admin keys travel in.
    pub(super) fn auth_name(&self) -> HeaderName {
        self.first(|layer| layer.auth_name.clone()).unwrap_or(DEFAULT_AUTH_NAME)
    }

    /// The certificates to trust beside the system's.
    pub(super) fn ca_file(&self) -> Option<PathBuf> {
        self.first(|layer| layer.ca_file.clone())
    }

    /// The strongest sender token that belongs to `origin`.
    pub(super) fn token_of(&self, origin: &Origin) -> Option<&SecretSource> {
        let in_use = self.server();
        self.secret_of(origin, &in_use, DEFAULT_SERVER, |layer| (layer.token.as_ref(), layer.server.as_ref()))
    }

    /// Where no sender token belongs to the server at `wanted`: the server that the strongest one there is belongs to, and
    /// how to say that it belongs to `wanted`.
    pub(super) fn token_elsewhere(&self, wanted: &ServerRoot) -> Option<(Origin, String)> {
        let in_use = self.server();
        let in_environment = self.environment.token.is_some();
        let (owner, hint) = match (&self.flags.token, &self.environment.server, &self.profile.server) {
            (Some(_), ..) => (in_use, format!("say --server {wanted} if it belongs there")),
            (None, None, _) if in_environment => (in_use, format!("say --server {wanted} if it belongs there")),
            (None, Some(server), _) if in_environment => {
                (server.clone(), format!("set SGSEND_SERVER to {wanted} if it belongs there"))
            }
            (None, _, server) => {
                self.profile.token.as_ref()?;
                let owner = server.clone().unwrap_or_else(|| parse_default(DEFAULT_SERVER));
                (owner, format!("give the one that belongs there, with --server {wanted} and --token-file"))
            }
        };
        Some((Origin::from(&owner), hint))
    }

    /// Whether the command line itself gives a sender token.
    pub(super) const fn has_token_flag(&self) -> bool {
        self.flags.token.is_some()
    }

    /// Whether a command of the same environment and profile that names no server has a token for `origin`.
    pub(super) fn finds_token_again(&self, origin: &Origin) -> bool {
        let named = [&self.environment, &self.profile].into_iter().find_map(|layer| layer.server.clone());
        let in_use = named.unwrap_or_else(|| parse_default(DEFAULT_SERVER));
        self.secret_of(origin, &in_use, DEFAULT_SERVER, |layer| (layer.token.as_ref(), layer.server.as_ref())).is_some()
    }

    /// The sender token that this command line gives, or that its environment gives for `origin` or for no server.
    pub(super) fn token_given(&self, origin: &Origin) -> Option<SecretSource> {
        let fits = |server: &ServerRoot| Origin::from(server) == *origin;
        let environment = &self.environment;
        let from_environment = || environment.token.clone().filter(|_| environment.server.as_ref().is_none_or(fits));
        self.flags.token.clone().or_else(from_environment)
    }

    /// The strongest admin key that belongs to the admin service in use; of a loopback one, at last the key that it made.
    pub(super) fn admin_key(&self) -> Option<SecretSource> {
        let in_use = self.admin_server();
        let origin = Origin::from(&in_use);
        let set = self.secret_of(&origin, &in_use, DEFAULT_ADMIN_SERVER, |layer| {
            (layer.admin_key.as_ref(), layer.admin_server.as_ref())
        });
        let made = || paths::admin_key_file().filter(|file| in_use.is_loopback() && file.exists());
        set.cloned().or_else(|| made().map(SecretSource::File))
    }

    /// The strongest secret that belongs to `origin`.
    ///
    /// A secret given with a flag is for the server in use; one from the environment or a profile is for the server named
    /// there, and does not follow to another one that a flag names.
    fn secret_of<'a>(
        &'a self,
        origin: &Origin,
        in_use: &ServerRoot,
        default: &str,
        pick: impl Fn(&'a Layer) -> (Option<&'a SecretSource>, Option<&'a ServerRoot>),
    ) -> Option<&'a SecretSource> {
        let default = parse_default(default);
        let candidates = [
            (pick(&self.flags).0, in_use),
            (pick(&self.environment).0, pick(&self.environment).1.unwrap_or(in_use)),
            (pick(&self.profile).0, pick(&self.profile).1.unwrap_or(&default)),
        ];
        candidates.into_iter().filter(|(_, owner)| Origin::from(*owner) == *origin).find_map(|(secret, _)| secret)
    }

    fn first<T>(&self, pick: impl Fn(&Layer) -> Option<T>) -> Option<T> {
        [&self.flags, &self.environment, &self.profile].into_iter().find_map(pick)
    }
}

fn secret(text: Option<SecretSource>, file: Option<PathBuf>) -> Option<SecretSource> {
    text.or_else(|| file.map(SecretSource::File))
}

fn root(text: Option<&str>, what: &str) -> Result<Option<ServerRoot>, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|error| {
            Failure::usage(format!("{what} is no server's address: {error}"))
                .hint("an address looks like https://send.example")
        })
    };
    text.map(parse).transpose()
}

fn header(text: Option<&str>, what: &str) -> Result<Option<HeaderName>, Failure> {
    let parse = |text: &str| text.parse().map_err(|_| Failure::usage(format!("{what} is no header's name")));
    text.map(parse).transpose()
}

fn parse_default(text: &str) -> ServerRoot {
    text.parse().expect("the defaults are addresses")
}

#[cfg(test)]
mod tests;
