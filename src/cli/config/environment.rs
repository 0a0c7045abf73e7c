//! Environment variables, read once at the start.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::input::secret::{SecretSource, SecretText};

/// Names of all variables that [`Environment`] reads.
pub(crate) const NAMES: [&str; 12] = [
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
];

/// Settings from environment variables. An empty variable counts as unset.
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
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn read() -> Self {
        Self::from(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(OsString::into_string))
    }

    fn from(variable: impl Fn(&str) -> Option<Result<String, OsString>>) -> Self {
        let text = |name| variable(name).and_then(Result::ok);
        let path = |name| variable(name).map(|value| value.map_or_else(PathBuf::from, PathBuf::from));
        let secret = |name, file_name| {
            let text = text(name).map(|text| SecretSource::Text(text.into()));
            text.or_else(|| path(file_name).map(SecretSource::File))
        };
        Self {
            server: text("SGSEND_SERVER"),
            admin_server: text("SGSEND_ADMIN_SERVER"),
            link_server: text("SGSEND_LINK_SERVER"),
            token: secret("SGSEND_TOKEN", "SGSEND_TOKEN_FILE"),
            admin_key: secret("SGSEND_ADMIN_KEY", "SGSEND_ADMIN_KEY_FILE"),
            auth_name: text("SGSEND_AUTH_NAME"),
            passphrase_file: path("SGSEND_PASSPHRASE_FILE"),
            key: text("SGSEND_KEY").map(SecretText::from),
            profile: text("SGSEND_PROFILE"),
            config: path("SGSEND_CONFIG"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_lists_every_variable_that_is_read() {
        let read = RefCell::new(BTreeSet::new());
        Environment::from(|name| {
            read.borrow_mut().insert(name.to_owned());
            None
        });
        assert_eq!(read.into_inner(), NAMES.iter().map(ToString::to_string).collect());
    }
}
