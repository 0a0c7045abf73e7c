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
use crate::domain::people::recipient_keys::{Plugins, RecipientKey};
use crate::domain::people::sender_signature::SenderKey;
use crate::domain::timestamp::Timestamp;

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
    /// Keys that this user has replaced, in the order of their replacement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<FormerKey>,
}

/// Key that a contact no longer has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FormerKey {
    key: String,
    replaced_at: Timestamp,
}

/// Contact with a certain key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyOwner {
    /// Name that this user has given to the contact.
    pub(crate) name: String,
    /// Time at which this user has replaced the key; `None` for a current key.
    pub(crate) replaced_at: Option<Timestamp>,
}

/// Difference between the keys of a contact and other ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyChange {
    /// Keys that only the contact has.
    pub(crate) removed: Vec<String>,
    /// Keys that only the others have.
    pub(crate) added: Vec<String>,
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
    pub(crate) fn keys_of(&self, name: &str, plugins: &Plugins) -> Option<Vec<RecipientKey>> {
        let keys = self.contacts.get(name)?.keys.iter();
        Some(keys.filter_map(|key| RecipientKey::parse_with(key, plugins).ok()).collect())
    }

    /// Returns the keys with which a contact can sign.
    pub(crate) fn sender_keys_of(&self, name: &str) -> Option<Vec<SenderKey>> {
        Some(self.contacts.get(name)?.keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Returns the keys that a contact could sign with until they were replaced, with the time of that.
    pub(crate) fn former_sender_keys_of(&self, name: &str) -> Vec<(SenderKey, Timestamp)> {
        let former = self.contacts.get(name).map(|contact| contact.former.as_slice()).unwrap_or_default();
        former.iter().filter_map(|former| Some((former.key.parse().ok()?, former.replaced_at))).collect()
    }

    /// Returns the contact with this key, or else the one that had it.
    pub(crate) fn owner_of(&self, key: &SenderKey) -> Option<KeyOwner> {
        let text = key.to_string();
        let current = self.iter().find(|(_, keys)| keys.contains(&text));
        if let Some((name, _)) = current {
            return Some(KeyOwner { name: name.to_owned(), replaced_at: None });
        }
        self.contacts.iter().find_map(|(name, contact)| {
            let former = contact.former.iter().rfind(|former| former.key == text)?;
            Some(KeyOwner { name: name.clone(), replaced_at: Some(former.replaced_at) })
        })
    }

    /// Compares the keys of a contact with `keys`. `None` if they are the same, or if there is no such contact.
    pub(crate) fn change_of(&self, name: &str, keys: &[RecipientKey]) -> Option<KeyChange> {
        let (old, new) = (&self.contacts.get(name)?.keys, texts(keys));
        let without =
            |keys: &[String], others: &[String]| keys.iter().filter(|key| !others.contains(key)).cloned().collect();
        let change = KeyChange { removed: without(old, &new), added: without(&new, old) };
        (!change.removed.is_empty() || !change.added.is_empty()).then_some(change)
    }

    /// Gives a name to keys. Keys that the name had before are kept as former ones.
    pub(crate) fn put(&mut self, name: &str, keys: &[RecipientKey], now: Timestamp) {
        let contact = self.contacts.entry(name.to_owned()).or_default();
        let replaced = std::mem::replace(&mut contact.keys, texts(keys));
        contact.former.retain(|former| !contact.keys.contains(&former.key));
        for key in replaced.into_iter().filter(|key| !contact.keys.contains(key)) {
            contact.former.push(FormerKey { key, replaced_at: now });
        }
    }

    /// Removes a contact. Returns whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.contacts.remove(name).is_some()
    }
}

/// Returns the texts of keys, each once.
fn texts(keys: &[RecipientKey]) -> Vec<String> {
    let mut texts: Vec<String> = Vec::with_capacity(keys.len());
    for text in keys.iter().map(ToString::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
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
    use std::sync::Arc;

    use zeroize::Zeroizing;

    use super::*;
    use crate::domain::people::recipient_keys::PluginDialogue;

    const AGE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    /// Nobody to ask: no key in these tests needs a plugin.
    struct NoDialogue;

    impl PluginDialogue for NoDialogue {
        fn display(&self, _: &str) {}

        fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
            None
        }

        fn ask(&self, _: &str) -> Option<String> {
            None
        }

        fn ask_secret(&self, _: &str) -> Option<Zeroizing<String>> {
            None
        }
    }

    #[test]
    fn contacts_have_names_that_nothing_else_has() {
        let (mut contacts, plugins) = (Contacts::default(), Plugins::new(Arc::new(NoDialogue)));
        let keys = [AGE.parse().unwrap(), SSH.parse().unwrap()];
        let at = Timestamp::from_millis;
        assert_eq!(contacts.change_of("ada", &keys), None);
        contacts.put("ada", &keys, at(1));
        assert_eq!(
            (contacts.keys_of("ada", &plugins).unwrap(), contacts.change_of("ada", &keys)),
            (keys.to_vec(), None)
        );
        let sender: SenderKey = SSH.parse().unwrap();
        let owner = |replaced_at| Some(KeyOwner { name: "ada".to_owned(), replaced_at });
        assert_eq!(contacts.sender_keys_of("ada"), Some(vec![sender.clone()]));
        assert_eq!(contacts.owner_of(&sender), owner(None));
        // A key that was replaced is still told apart from a strange one, until it is added again.
        let change = KeyChange { removed: vec![SSH.to_owned()], added: Vec::new() };
        assert_eq!(contacts.change_of("ada", &keys[..1]), Some(change));
        contacts.put("ada", &keys[..1], at(2));
        assert_eq!(contacts.owner_of(&sender), owner(Some(at(2))));
        assert_eq!(contacts.former_sender_keys_of("ada"), [(sender.clone(), at(2))]);
        assert_eq!(contacts.sender_keys_of("ada"), Some(Vec::new()));
        let text = toml::to_string_pretty(&contacts).unwrap();
        assert_eq!(toml::from_str::<Contacts>(&text).unwrap().owner_of(&sender), owner(Some(at(2))));
        contacts.put("ada", &keys, at(3));
        assert_eq!((contacts.owner_of(&sender), contacts.former_sender_keys_of("ada").len()), (owner(None), 0));
        assert!(contacts.keys_of("bob", &plugins).is_none() && contacts.remove("ada") && !contacts.remove("ada"));
        for name in ["ada", "Ada.L-1_x@example", "ä"] {
            assert_eq!(contact_name(name).as_deref(), Ok(name));
        }
        for name in ["", "-a", "a b", "a/b", AGE, "a\u{202e}b", &"a".repeat(65)] {
            assert!(contact_name(name).is_err(), "{name}");
        }
    }
}
