//! Public keys of people.

use std::fmt;
use std::str::FromStr;

use ssh_key::{Algorithm, PublicKey};

use super::plugin::Plugins;
use crate::domain::crypto::digest::Sha256;

/// Human-readable part of the Bech32 form of an X25519 public key of age.
const X25519_PREFIX: &str = "age";

/// Public key of a person: `age1…`, `ssh-ed25519 AAAA…`, or one of a plugin of age.
///
/// Only [`RecipientKey::parse_with`] accepts keys of plugins (`age1NAME1…`), since they make programs run. Its text is canonical: without a comment, and one text for one key.
#[derive(Clone)]
pub struct RecipientKey {
    text: String,
    key: AgeRecipient,
}

#[derive(Clone)]
enum AgeRecipient {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
    Plugin(age::plugin::Recipient, Plugins),
}

/// The text is not a public key that a payload key can be wrapped for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipient {
    /// The text is damaged, or no public key at all.
    #[error("not a public key: expected `age1…` or `ssh-ed25519 AAAA…`")]
    Malformed,
    /// The text is a secret key. The error does not contain the text.
    #[error("this is a secret key; a recipient is named by the public key")]
    Secret,
    /// The key is of a kind that is not supported, such as `ssh-rsa`.
    #[error("keys of the kind {0} are not supported: use an age key (`age1…`) or an ssh-ed25519 key")]
    Unsupported(String),
}

impl RecipientKey {
    /// Returns the canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the SHA-256 of the canonical text, by which a signature names a recipient.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.text.as_bytes())
    }

    /// Returns whether entries for the key can have a tag that shows whose they are: of SSH and of plugins.
    #[must_use]
    pub const fn is_recognisable(&self) -> bool {
        !matches!(self.key, AgeRecipient::X25519(_))
    }

    /// Returns the key as age uses it; `None` for that of a plugin.
    pub(super) fn as_age(&self) -> Option<&dyn age::Recipient> {
        match &self.key {
            AgeRecipient::X25519(key) => Some(key),
            AgeRecipient::Ssh(key) => Some(key),
            AgeRecipient::Plugin(..) => None,
        }
    }

    /// Returns the key of a plugin, with the permission to run it.
    pub(super) const fn as_plugin(&self) -> Option<(&age::plugin::Recipient, &Plugins)> {
        match &self.key {
            AgeRecipient::Plugin(key, plugins) => Some((key, plugins)),
            _ => None,
        }
    }

    /// Parses a key like [`str::parse`], and also that of a plugin. The plugin runs when a key is wrapped for it.
    ///
    /// # Errors
    /// [`InvalidRecipient`].
    pub fn parse_with(text: &str, plugins: &Plugins) -> Result<Self, InvalidRecipient> {
        let text = text.trim();
        match text.parse() {
            Err(InvalidRecipient::Unsupported(kind)) if kind.starts_with(X25519_PREFIX) => {
                let key: age::plugin::Recipient = text.parse().map_err(|_| InvalidRecipient::Malformed)?;
                Ok(Self { text: key.to_string(), key: AgeRecipient::Plugin(key, plugins.clone()) })
            }
            parsed => parsed,
        }
    }

    /// Creates a recipient from an X25519 key of age.
    pub(super) fn of_x25519(key: age::x25519::Recipient) -> Self {
        Self { text: key.to_string(), key: AgeRecipient::X25519(key) }
    }

    /// Creates a recipient from the 32 bytes of an X25519 public key, as in request links.
    ///
    /// # Panics
    /// Never: every 32 bytes are an X25519 public key.
    #[must_use]
    pub fn of_x25519_bytes(bytes: &[u8; 32]) -> Self {
        let text = bech32::encode::<bech32::Bech32>(bech32::Hrp::parse_unchecked(X25519_PREFIX), bytes);
        let text = text.expect("32 bytes are not too long");
        Self::of_x25519(text.parse().expect("every 32 bytes are a public key"))
    }

    /// Returns the 32 bytes of an X25519 public key; `None` for a key of SSH.
    #[must_use]
    pub fn x25519_bytes(&self) -> Option<[u8; 32]> {
        let AgeRecipient::X25519(key) = &self.key else { return None };
        let (_, bytes) = bech32::decode(&key.to_string()).ok()?;
        bytes.try_into().ok()
    }

    /// Creates a recipient from a public key of SSH.
    pub(super) fn of_ssh(key: &PublicKey) -> Result<Self, InvalidRecipient> {
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(InvalidRecipient::Unsupported(key.algorithm().to_string()));
        }
        let text = PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(|_| InvalidRecipient::Malformed)?;
        let key = text.parse().map_err(|_| InvalidRecipient::Malformed)?;
        Ok(Self { text, key: AgeRecipient::Ssh(key) })
    }
}

impl FromStr for RecipientKey {
    type Err = InvalidRecipient;

    /// Parses a key with optional white space around it and, for an SSH key, an optional comment.
    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        let text = text.trim();
        let kind = text.split([' ', '\t']).next().unwrap_or_default();
        if text.starts_with("AGE-") || text.contains("PRIVATE KEY") {
            return Err(InvalidRecipient::Secret);
        }
        if kind == "ssh-ed25519" {
            let text = text.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
            return Self::of_ssh(&PublicKey::from_openssh(&text).map_err(|_| InvalidRecipient::Malformed)?);
        }
        let is_ssh = kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-");
        if is_ssh && text.len() > kind.len() {
            return Err(InvalidRecipient::Unsupported(kind.to_owned()));
        }
        match text.parse() {
            Ok(key) => Ok(Self::of_x25519(key)),
            // The kind of a key of a plugin, or of a later version of age, stands before the last `1`.
            Err(_) => match text.strip_prefix("age1").and_then(|rest| rest.rsplit_once('1')) {
                Some((kind, _)) if !kind.is_empty() && kind.bytes().all(is_kind) => {
                    Err(InvalidRecipient::Unsupported(format!("age1{kind}")))
                }
                _ => Err(InvalidRecipient::Malformed),
            },
        }
    }
}

const fn is_kind(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

impl PartialEq for RecipientKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RecipientKey {}

impl fmt::Display for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientKey({})", self.text)
    }
}

/// Keys of a list with one key in a line: a recipients' file of age, or the `.keys` of a code host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientList {
    /// The supported keys, each once.
    pub keys: Vec<RecipientKey>,
    /// Kinds of the keys that are not supported, which were left out.
    pub unsupported: Vec<String>,
}

impl RecipientList {
    /// Parses a list. Empty lines and lines with `#` in front are comments.
    ///
    /// With `plugins`, keys of plugins are supported: not for a list from a URL.
    ///
    /// # Errors
    /// The number of the first line that is no public key, counted from 1, with the error.
    pub fn parse(text: &str, plugins: Option<&Plugins>) -> Result<Self, (usize, InvalidRecipient)> {
        let mut list = Self { keys: Vec::new(), unsupported: Vec::new() };
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed = plugins.map_or_else(|| line.parse(), |plugins| RecipientKey::parse_with(line, plugins));
            match parsed {
                Ok(key) if list.keys.contains(&key) => {}
                Ok(key) => list.keys.push(key),
                Err(InvalidRecipient::Unsupported(kind)) => list.unsupported.push(kind),
                Err(error) => return Err((number, error)),
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    #[test]
    fn one_key_has_one_text() {
        for (text, canonical, is_recognisable) in [
            (AGE.to_owned(), AGE, false),
            (format!(" {AGE}\n"), AGE, false),
            (SSH.to_owned(), SSH, true),
            (format!("{SSH} ada@example.com"), SSH, true),
            (format!("\t{SSH}  two words \r\n"), SSH, true),
        ] {
            let key: RecipientKey = text.parse().unwrap();
            assert_eq!((key.as_str(), key.is_recognisable()), (canonical, is_recognisable));
            assert_eq!(key.digest(), Sha256::of(canonical.as_bytes()));
        }
    }

    #[test]
    fn other_texts_are_rejected_with_their_reason() {
        let unsupported = |kind: &str| InvalidRecipient::Unsupported(kind.to_owned());
        for (text, error) in [
            ("", InvalidRecipient::Malformed),
            ("ada", InvalidRecipient::Malformed),
            (&AGE[..60], InvalidRecipient::Malformed),
            (&AGE.replace("t7rx", "t7rz"), InvalidRecipient::Malformed),
            (&SSH[..60], InvalidRecipient::Malformed),
            ("ssh-ed25519", InvalidRecipient::Malformed),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ", unsupported("ssh-rsa")),
            ("sk-ssh-ed25519@openssh.com AAAA", unsupported("sk-ssh-ed25519@openssh.com")),
            ("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", unsupported("age1yubikey")),
            ("age1pq1qqqq", unsupported("age1pq")),
            ("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", InvalidRecipient::Secret),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", InvalidRecipient::Secret),
        ] {
            assert_eq!(text.parse::<RecipientKey>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_list_leaves_out_unsupported_keys_and_rejects_damaged_ones() {
        let list =
            RecipientList::parse(&format!("# ada\n{AGE}\n\nssh-rsa AAAA\n{SSH} laptop\n{SSH} again\n"), None).unwrap();
        assert_eq!(list.keys.iter().map(RecipientKey::as_str).collect::<Vec<_>>(), [AGE, SSH]);
        assert_eq!(list.unsupported, ["ssh-rsa"]);
        assert_eq!(RecipientList::parse(&format!("{AGE}\n<html>\n"), None), Err((2, InvalidRecipient::Malformed)));
    }
}
