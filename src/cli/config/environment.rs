//! Environment variables, read once at the start.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::input::secret::{SecretSource, SecretText};

/// Names of all variables that [`Environment`] reads.
pub(crate) const NAMES: [&str; 13] = [
    "SGSEND_SERVER",
    "SGSEND_ADMIN_SERVER",
    "SGSEND_LINK_SERVER",
    "SGSEND_TOKEN",
    "SGSEND_TOKEN_FILE",
    "SGSEND_ADMIN_KEY",
    "SGSEND_ADMIN_KEY_FILE",
    "SGSEND_AUTH_NAME",
    "SGSEND_PASSPHRASE_FILE",
    "SGSEND_KEY",
    "SGSEND_PROFILE",
    "SGSEND_CONFIG",
    "SGSEND_LIMIT_RATE",
];

/// Settings from environment variables. An empty variable counts as unset; a secret takes precedence over its file.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    pub server: Option<String>,
    pub admin_server: Option<String>,
    pub link_server: Option<String>,
    pub token: Option<SecretSource>,
    pub admin_key: Option<SecretSource>,
    pub auth_name: Option<String>,
    pub passphrase_file: Option<PathBuf>,
    pub key: Option<SecretText>,
    pub profile: Option<String>,
    pub config: Option<PathBuf>,
    pub limit_rate: Option<String>,
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// A usage error that names a text variable that is not UTF-8. Paths may have any bytes.
    pub(crate) fn read() -> Result<Self, Failure> {
        Self::read_from(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn read_from(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let text_of = |name: &str| {
            let text = lookup(name).map(OsString::into_string).transpose();
            text.map_err(|_| Failure::usage(format!("{name} is not valid UTF-8")).hint("correct or unset the variable"))
        };
        let path_of = |name| lookup(name).map(PathBuf::from);
        let secret_of = |name, file_name| {
            let text = text_of(name)?.map(|text| SecretSource::Text(text.into()));
            Ok(text.or_else(|| path_of(file_name).map(SecretSource::File)))
        };
        Ok(Self {
            server: text_of("SGSEND_SERVER")?,
            admin_server: text_of("SGSEND_ADMIN_SERVER")?,
            link_server: text_of("SGSEND_LINK_SERVER")?,
            token: secret_of("SGSEND_TOKEN", "SGSEND_TOKEN_FILE")?,
            admin_key: secret_of("SGSEND_ADMIN_KEY", "SGSEND_ADMIN_KEY_FILE")?,
            auth_name: text_of("SGSEND_AUTH_NAME")?,
            passphrase_file: path_of("SGSEND_PASSPHRASE_FILE"),
            key: text_of("SGSEND_KEY")?.map(SecretText::from),
            profile: text_of("SGSEND_PROFILE")?,
            config: path_of("SGSEND_CONFIG"),
            limit_rate: text_of("SGSEND_LIMIT_RATE")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn names_lists_every_variable_that_is_read() {
        let read = RefCell::new(BTreeSet::new());
        let environment = Environment::read_from(|name| {
            read.borrow_mut().insert(name.to_owned());
            None
        });
        assert!(environment.is_ok());
        assert_eq!(read.into_inner(), NAMES.iter().map(ToString::to_string).collect());
    }

    #[test]
    fn text_that_is_not_utf8_is_an_error_and_a_path_is_not() {
        let no_text = OsString::from_vec(b"caf\xe9".to_vec());
        for name in NAMES {
            let environment = Environment::read_from(|asked| (asked == name).then(|| no_text.clone()));
            let is_path = name.ends_with("_FILE") || name == "SGSEND_CONFIG";
            assert_eq!(environment.is_ok(), is_path, "{name}");
            assert!(environment.err().is_none_or(|failure| failure.message.contains(name)), "{name}");
        }
    }
}
