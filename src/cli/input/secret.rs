//! Reads secrets from arguments, environment variables, files or stdin.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;

use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::failure::table::hint_of_io;
use crate::cli::streams::require_stdin;

/// Maximum size of a secret in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A secret from the command line or the environment. Has no `Debug` output.
#[derive(Clone)]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl FromStr for SecretText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// The source of a secret.
#[derive(Clone)]
pub(crate) enum SecretSource {
    /// The secret itself; `-` means stdin.
    Text(SecretText),
    /// A file with the secret; `-` means stdin.
    File(PathBuf),
}

impl SecretSource {
    /// Returns whether the source is stdin, which can be read only once.
    pub(crate) fn takes_stdin(&self) -> bool {
        match self {
            Self::Text(text) => text.as_str() == "-",
            Self::File(path) => path.as_os_str() == "-",
        }
    }

    /// Reads the secret without surrounding whitespace; `name` is its name in messages. Blocks on stdin.
    pub(crate) fn read(&self, name: &str) -> Result<Zeroizing<String>, Failure> {
        let whole = self.read_untrimmed(name)?;
        let trimmed = Zeroizing::new(whole.trim().to_owned());
        if trimmed.is_empty() {
            return Err(Failure::usage(format!("the {name} is empty")).hint(format!("check the source of the {name}")));
        }
        Ok(trimmed)
    }

    /// Reads the secret with surrounding whitespace.
    pub(crate) fn read_untrimmed(&self, name: &str) -> Result<Zeroizing<String>, Failure> {
        let unreadable = |error: io::Error| {
            let message = match self {
                Self::File(path) => format!("cannot read the {name} from {}: {error}", path.display()),
                Self::Text(_) => format!("cannot read the {name} from stdin: {error}"),
            };
            let exit = if error.kind() == io::ErrorKind::InvalidData { Exit::Usage } else { Exit::LocalFile };
            Failure::new(exit, "secret_unreadable", message).hint(hint_of_io(&error))
        };
        match self {
            _ if self.takes_stdin() => {
                claim_stdin(name)?;
                read_text(io::stdin().lock()).map_err(unreadable)
            }
            Self::Text(text) => Ok(text.0.clone()),
            Self::File(path) => File::open(path).and_then(read_text).map_err(unreadable),
        }
    }
}

/// Reserves stdin for `name`, since a second reader would find it empty.
///
/// # Errors
/// Fails if stdin is closed, or already reserved for another input.
pub(crate) fn claim_stdin(name: &str) -> Result<(), Failure> {
    static CLAIMED: Mutex<Option<String>> = Mutex::new(None);
    let mut claimed = CLAIMED.lock().expect("no panic can occur while the lock is held");
    if let Some(earlier) = &*claimed {
        return Err(Failure::usage(format!("stdin cannot provide both the {earlier} and the {name}"))
            .hint("pass one of the two in a file"));
    }
    *claimed = Some(name.to_owned());
    require_stdin()
}

fn read_text(input: impl Read) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the content is too long"));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the content is not UTF-8 text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_around_a_secret_is_ignored() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " secret \r\n").unwrap();
        let source = SecretSource::File(file.path().to_owned());
        assert_eq!(source.read("key").unwrap().as_str(), "secret");
        assert_eq!(source.read_untrimmed("key").unwrap().as_str(), " secret \r\n");
        std::fs::write(file.path(), "\n").unwrap();
        assert_eq!(source.read("key").unwrap_err().exit, Exit::Usage);
        std::fs::write(file.path(), [0xff]).unwrap();
        assert_eq!(source.read("key").unwrap_err().exit, Exit::Usage);
        let missing = SecretSource::File("/nonexistent/file".into());
        assert_eq!(missing.read("key").unwrap_err().exit, Exit::LocalFile);
    }
}
