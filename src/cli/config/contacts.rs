//! Contacts: names that this user has given to public keys of people.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::paths;
use super::private_file::{self, Existing};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::domain::people::recipient_keys::RecipientKey;
use crate::domain::people::sender_signature::SenderKey;

/// Maximum length of a name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// `contacts.toml`: the contacts of this user.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contacts {
    #[serde(default)]
    contacts: BTreeMap<String, Contact>,
}

/// Keys of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contact {
    keys: Vec<String>,
}

impl Contacts {
    /// Reads the contacts of this user; none for a user without a file.
    pub(crate) fn of_user() -> Result<Self, Failure> {
        paths::contacts_file().map_or_else(|| Ok(Self::default()), |path| Self::read(&path))
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |reason: String| {
            let message = format!("cannot use the contacts {}: {reason}", path.display());
            Failure::new(Exit::Usage, "contacts", message)
                .hint("correct the file, or remove it and add the contacts again")
        };
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|error| failed(error.message().to_owned())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Self::default())
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Writes the contacts, with mode 0600; returns the path.
    pub(crate) fn write(&self) -> Result<PathBuf, Failure> {
        let path = paths::contacts_file()
            .ok_or_else(|| Failure::usage("no home directory to save the contacts in").hint("set HOME"))?;
        let text = toml::to_string_pretty(self).map_err(io::Error::other);
        let written = text.and_then(|text| private_file::write(&path, text.as_bytes(), Existing::Replaced));
        written.map_err(|error| {
            let message = format!("cannot write the contacts {}: {error}", path.display());
            Failure::new(Exit::LocalFile, "contacts_unwritable", message)
        })?;
        Ok(path)
    }

    /// Returns names and keys, in the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.contacts.iter().map(|(name, contact)| (name.as_str(), contact.keys.as_slice()))
    }

    /// Returns the keys of a contact; `None` if there is no contact of this name.
    pub(crate) fn keys_of(&self, name: &str) -> Option<Vec<RecipientKey>> {
        Some(self.contacts.get(name)?.keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Returns the keys with which a contact can sign.
    pub(crate) fn sender_keys_of(&self, name: &str) -> Option<Vec<SenderKey>> {
        Some(self.contacts.get(name)?.keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Returns the name of the contact with this key.
    pub(crate) fn name_of(&self, key: &SenderKey) -> Option<&str> {
        let text = key.to_string();
        self.iter().find(|(_, keys)| keys.contains(&text)).map(|(name, _)| name)
    }

    /// Adds keys under a name. Returns `false` if the name is taken, and `replace` is not set.
    pub(crate) fn add(&mut self, name: &str, keys: &[RecipientKey], replace: bool) -> bool {
        if self.contacts.contains_key(name) && !replace {
            return false;
        }
        let keys = keys.iter().map(ToString::to_string).collect();
        self.contacts.insert(name.to_owned(), Contact { keys });
        true
    }

    /// Removes a contact. Returns whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.contacts.remove(name).is_some()
    }
}

/// Name of a contact: letters, digits, `.`, `-`, `_` and `@`.
///
/// Such a name is never taken for a key, a path or an option.
pub(crate) fn contact_name(text: &str) -> Result<String, String> {
    let is_valid = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    let starts = text.chars().next().is_some_and(char::is_alphanumeric);
    if !starts || text.len() > MAX_NAME_BYTES || !text.chars().all(is_valid) {
        return Err(
            "a name has letters, digits and . - _ @, begins with a letter or digit, and has 64 bytes at most".into()
        );
    }
    if text.parse::<RecipientKey>().is_ok() {
        return Err("a name must not be a key".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    #[test]
    fn contacts_have_names_that_nothing_else_has() {
        let mut contacts = Contacts::default();
        let keys = [AGE.parse().unwrap(), SSH.parse().unwrap()];
        assert!(contacts.add("ada", &keys, false) && !contacts.add("ada", &keys[..1], false));
        assert_eq!(contacts.keys_of("ada").unwrap(), keys);
        let sender: SenderKey = SSH.parse().unwrap();
        assert_eq!(
            (contacts.sender_keys_of("ada"), contacts.name_of(&sender)),
            (Some(vec![sender.clone()]), Some("ada"))
        );
        assert!(contacts.add("ada", &keys[..1], true) && contacts.name_of(&sender).is_none());
        assert!(contacts.keys_of("bob").is_none() && contacts.remove("ada") && !contacts.remove("ada"));
        for name in ["ada", "Ada.L-1_x@example", "ä"] {
            assert_eq!(contact_name(name).as_deref(), Ok(name));
        }
        for name in ["", "-a", "a b", "a/b", AGE, "a\u{202e}b", &"a".repeat(65)] {
            assert!(contact_name(name).is_err(), "{name}");
        }
    }
}
