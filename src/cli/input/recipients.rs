//! Recipients of a transfer: the option `--to`.

use std::path::Path;

use crate::cli::config::contacts::Contacts;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::domain::people::recipient_keys::{InvalidRecipient, Plugins, RecipientKey, RecipientList};

/// Maximum size of a file with public keys, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Returns the keys that the values of `--to` name: keys, contacts, or files with keys.
///
/// # Errors
/// Fails for a value that names nothing, and for keys that are not supported.
pub(crate) fn recipients(values: &[String], plugins: &Plugins) -> Result<Vec<RecipientKey>, Failure> {
    let mut keys: Vec<RecipientKey> = Vec::new();
    for value in values {
        for key in recipients_of(value, plugins)? {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}

fn recipients_of(value: &str, plugins: &Plugins) -> Result<Vec<RecipientKey>, Failure> {
    let malformed = match RecipientKey::parse_with(value, plugins) {
        Ok(key) => return Ok(vec![key]),
        Err(error) => error,
    };
    if malformed != InvalidRecipient::Malformed {
        return Err(invalid("--to", &malformed));
    }
    if let Some(keys) = Contacts::of_user()?.keys_of(value, plugins) {
        return Ok(keys);
    }
    let path = Path::new(value);
    if path.is_file() {
        return read_list(path, plugins);
    }
    let message = format!("--to {value} is neither a public key, a contact nor a file with keys");
    let hint = "pass age1… or 'ssh-ed25519 AAAA…'; `sgsend contact list` shows the contacts";
    Err(Failure { code: "unknown_recipient".into(), ..Failure::usage(message) }.hint(hint))
}

/// Reads a file with public keys.
pub(crate) fn read_list(path: &Path, plugins: &Plugins) -> Result<Vec<RecipientKey>, Failure> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    read.map_err(|error| {
        let message = format!("the public keys in {} cannot be read: {error}", path.display());
        Failure::new(Exit::LocalFile, "keys_unreadable", message)
    })?;
    parse_list(&text, &path.display().to_string(), Some(plugins))
}

/// Parses a list of public keys. Keys of other kinds are left out, unless no key remains. A list from a URL names no
/// plugins.
pub(crate) fn parse_list(text: &str, name: &str, plugins: Option<&Plugins>) -> Result<Vec<RecipientKey>, Failure> {
    let list = RecipientList::parse(text, plugins)
        .map_err(|(line, error)| invalid(&format!("{name}, line {line}"), &error))?;
    match (list.keys.is_empty(), list.unsupported.first()) {
        (false, _) => Ok(list.keys),
        (true, Some(kind)) => Err(invalid(name, &InvalidRecipient::Unsupported(kind.clone()))),
        (true, None) => Err(Failure::usage(format!("{name} has no public key"))),
    }
}

fn invalid(name: &str, error: &InvalidRecipient) -> Failure {
    Failure { code: "invalid_recipient".into(), ..Failure::usage(format!("{name}: {error}")) }
}
