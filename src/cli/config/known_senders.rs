//! Keys of senders whose signatures were verified on this machine, with the time of the first one.

use std::fs;
use std::path::{Path, PathBuf};

use super::paths;
use super::private_file::{self, Existing};
use crate::domain::people::sender_signature::SenderKey;
use crate::domain::timestamp::Timestamp;

/// Maximum number of keys; the oldest ones are dropped.
const MAX_KEYS: usize = 10_000;

/// `known-senders`: one line per key, with its fingerprint and a time in milliseconds.
pub(crate) struct KnownSenders {
    file: Option<PathBuf>,
}

impl KnownSenders {
    /// Returns the list of this user.
    pub(crate) fn of_user() -> Self {
        Self { file: paths::known_senders_file() }
    }

    /// Returns the time of the first verified signature of a key; `None` for an unknown key.
    pub(crate) fn known_since(&self, key: &SenderKey) -> Option<Timestamp> {
        let text = fs::read_to_string(self.file.as_ref()?).ok()?;
        let fingerprint = key.fingerprint();
        text.lines().find_map(|line| {
            let (known, time) = line.split_once(' ')?;
            if known == fingerprint { time.parse().ok().map(Timestamp::from_millis) } else { None }
        })
    }

    /// Remembers a key after a signature of it was verified. Best effort: the list only informs the user.
    pub(crate) fn remember(&self, key: &SenderKey, now: Timestamp) {
        let Some(file) = &self.file else { return };
        if self.known_since(key).is_none() {
            let _ = append(file, &format!("{} {}", key.fingerprint(), now.as_millis()));
        }
    }
}

fn append(file: &Path, line: &str) -> std::io::Result<()> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.push(line);
    let kept = &lines[lines.len().saturating_sub(MAX_KEYS)..];
    private_file::write(file, (kept.join("\n") + "\n").as_bytes(), Existing::Replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_since_its_first_signature() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownSenders { file: Some(folder.path().join("state/known-senders")) };
        let key = |text: &str| text.parse::<SenderKey>().unwrap();
        let ada = key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN");
        assert!(known.known_since(&ada).is_none());
        known.remember(&ada, Timestamp::from_millis(7));
        known.remember(&ada, Timestamp::from_millis(9));
        assert_eq!(known.known_since(&ada), Some(Timestamp::from_millis(7)));
        KnownSenders { file: None }.remember(&ada, Timestamp::from_millis(7));
    }
}
