//! The configuration file: profiles, each with a server and its secrets.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;

/// Name of the default profile.
pub(crate) const DEFAULT_PROFILE: &str = "default";

/// Content of the configuration file.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Profile to use without `--profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_profile: Option<String>,
    /// Profiles by name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// A server with its secrets. Has no `Debug` output, since it may contain a token.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_key_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_rate: Option<String>,
}

impl Config {
    /// Reads the file at `path`; a missing file is an empty configuration, unless it is `required`.
    pub(crate) fn read(path: &Path, required: bool) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if is_missing(&error) && !required => return Ok(Self::default()),
            Err(error) => return Err(unusable(path, &error.to_string())),
        };
        Self::parse(&text).map_err(|(span, reason)| {
            let line = span.map(|span| 1 + text[..span.start].matches('\n').count());
            let position = line.map_or_else(String::new, |line| format!("line {line}: "));
            unusable(path, &format!("{position}{reason}"))
        })
    }

    /// Parses the content of a file; an error has its position in bytes.
    ///
    /// Error texts quote no value, since it may be a token. The parser's message about a wrong type quotes the value,
    /// so types are checked first.
    fn parse(text: &str) -> Result<Self, (Option<Range<usize>>, String)> {
        let describe = |error: toml::de::Error| (error.span(), error.message().to_owned());
        let table = DeTable::parse(text).map_err(describe)?;
        if let Some(span) = wrong_type(table.get_ref()) {
            return Err((Some(span), "a value has the wrong type".to_owned()));
        }
        Self::deserialize(toml::Deserializer::from(table)).map_err(describe)
    }

    /// Replaces the file, with mode 0600. Comments are lost.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            let message = format!("cannot write the configuration {}: {error}", path.display());
            Failure::new(Exit::LocalFile, "config_unwritable", message)
        };
        let text = Zeroizing::new(toml::to_string_pretty(self).map_err(|error| failed(&error))?);
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || {
            fs::create_dir_all(directory)?;
            // A temporary file has mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        };
        write().map(|_| ()).map_err(|error| failed(&error))
    }

    /// Returns the profile `named`, the file's default profile, or `default`, which may be missing.
    pub(crate) fn profile(&self, named: Option<&str>) -> Result<Profile, Failure> {
        let name = self.profile_name(named);
        match self.profiles.get(name) {
            Some(profile) => Ok(profile.clone()),
            None if named.is_none() && self.default_profile.is_none() => Ok(Profile::default()),
            None => Err(Failure::new(Exit::Usage, "config", format!("no profile `{name}` in the configuration"))
                .hint(format!("create the profile with `sgsend login --profile {name}`"))),
        }
    }

    /// Returns the name of the profile to use.
    pub(crate) fn profile_name<'a>(&'a self, named: Option<&'a str>) -> &'a str {
        named.or(self.default_profile.as_deref()).unwrap_or(DEFAULT_PROFILE)
    }
}

/// Returns the position of the first value of a wrong type. Each profile is a table of strings, and every other value
/// is a string.
fn wrong_type(root: &DeTable<'_>) -> Option<Range<usize>> {
    let not_text = |value: &&Spanned<DeValue<'_>>| !value.get_ref().is_str();
    let in_profile = |profile: &Spanned<DeValue<'_>>| match profile.get_ref().as_table() {
        Some(members) => members.values().find(not_text).map(Spanned::span),
        None => Some(profile.span()),
    };
    root.iter().find_map(|(key, value)| match value.get_ref().as_table() {
        Some(profiles) if key.get_ref() == "profiles" => profiles.values().find_map(in_profile),
        _ if key.get_ref() == "profiles" => Some(value.span()),
        _ => Some(value).filter(not_text).map(Spanned::span),
    })
}

/// Returns why the file at `path` cannot be read, for example that it belongs to another user. Returns `None` if it can
/// be read or is missing.
pub(crate) fn why_unreadable(path: &Path) -> Option<Failure> {
    let error = fs::read(path).err().filter(|error| !is_missing(error))?;
    let message = format!("cannot read the configuration {}: {error}", path.display());
    let failure = Failure::new(Exit::Usage, "config", message);
    Some(failure.hint("correct its permissions; or pass --server and --token-file, or another file with --config"))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unusable(path: &Path, reason: &str) -> Failure {
    Failure::new(Exit::Usage, "config", format!("cannot use the configuration {}: {reason}", path.display()))
        .hint("correct the file, or use another one with --config")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Config::read(file.path(), true)
    }

    #[test]
    fn unknown_keys_are_rejected_without_quoting_the_file() {
        for (text, line) in [
            ("[profiles.a]\ntokn = \"sgs_secret\"\n", 2),
            ("colour = 1\n", 1),
            ("[profiles.a]\nserver = 1 # sgs_secret\n", 2),
            ("[profiles.a]\n[profiles.a.token]\nsgs_secret = 1\n", 2),
            ("profiles = \"sgs_secret\"\n", 1),
            ("[profiles]\na = \"sgs_secret\"\n", 2),
            ("[default_profile]\na = \"sgs_secret\"\n", 1),
            ("[[profiles]]\ntoken = \"sgs_secret\"\n", 1),
            ("[profiles.a]\ntoken = sgs_secret\n", 2),
            ("[profiles.a]\ntoken = \"sgs_secret\n", 2),
        ] {
            let failure = read(text).err().unwrap();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(&format!("line {line}: ")), "{}", failure.message);
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
    }

    #[test]
    fn a_written_file_reads_back_equal_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/config.toml");
        assert!(Config::read(&path, false).unwrap().profiles.is_empty());
        assert!(Config::read(&path, true).is_err());
        let mut config = Config::default();
        let profile = Profile { server: Some("https://send.example".into()), ..Profile::default() };
        config.profiles.insert("work".into(), profile);
        config.write(&path).unwrap();
        config.write(&path).unwrap();
        assert_eq!(
            Config::read(&path, true).unwrap().profile(Some("work")).unwrap().server.as_deref(),
            Some("https://send.example")
        );
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    }

    #[test]
    fn a_named_profile_must_exist() {
        let config = read("default_profile = \"a\"\n[profiles.a]\nserver = \"https://a.example\"\n").unwrap();
        assert!(config.profile(None).unwrap().server.is_some());
        assert!(config.profile(Some("b")).is_err());
        assert!(read("default_profile = \"gone\"").unwrap().profile(None).is_err());
        assert!(read("").unwrap().profile(None).unwrap().server.is_none());
    }
}
