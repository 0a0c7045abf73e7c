//! The `keys` blob of a transfer: an age file that a server stores and never opens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Maximum size of a blob, in bytes.
pub const MAX_KEYS_BYTES: usize = 16 * 1024;
/// First line of every age file.
const FIRST_LINE: &[u8] = b"age-encryption.org/v1\n";
/// Minimum size of a blob in bytes: its text form then has a fixed start.
const MIN_BYTES: usize = 24;

/// Payload key wrapped for recipients: an age file of at most 16 KiB, in base64url.
///
/// The pattern begins with the first line of an age file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 32, max_length = 21846, pattern = "^YWdlLWVuY3J5cHRpb24ub3JnL3YxC[g-v][A-Za-z0-9_-]{2}(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]|[A-Za-z0-9_-][AQgw])?$")]
pub struct KeysBlob(String);

/// The bytes or the text are not a `keys` blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keys must be an age file of at most 16 KiB, in base64url")]
pub struct InvalidKeysBlob;

/// Number of entries of a blob by kind, as everybody can see it. Throw-away entries count as X25519 entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeysEntries {
    /// Entries for X25519 keys of age.
    pub x25519: usize,
    /// Entries for Ed25519 keys of SSH.
    pub ssh_ed25519: usize,
    /// Entries of kinds that this version does not open.
    pub other: usize,
}

impl KeysBlob {
    /// Creates a blob from the bytes of an age file.
    ///
    /// # Errors
    /// [`InvalidKeysBlob`] for other bytes, and for more than [`MAX_KEYS_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKeysBlob> {
        let fits = (MIN_BYTES..=MAX_KEYS_BYTES).contains(&bytes.len()) && bytes.starts_with(FIRST_LINE);
        if fits { Ok(Self(URL_SAFE_NO_PAD.encode(bytes))) } else { Err(InvalidKeysBlob) }
    }

    /// Returns the bytes of the age file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(&self.0).expect("the text was checked when it was parsed")
    }

    /// Counts the entries by kind. Anybody can have written them: only [`unwrap`](super::unwrap) tells which are real.
    #[must_use]
    pub fn entries(&self) -> KeysEntries {
        let bytes = self.to_bytes();
        let mut entries = KeysEntries::default();
        for line in bytes.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---")) {
            let Some(arguments) = line.strip_prefix(b"-> ") else { continue };
            match arguments.split(|byte| *byte == b' ').next() {
                Some(b"X25519") => entries.x25519 += 1,
                Some(b"ssh-ed25519") => entries.ssh_ed25519 += 1,
                // Random entries of some writers, so that readers keep ignoring kinds that they don't know.
                Some(kind) if kind.ends_with(b"-grease") => {}
                _ => entries.other += 1,
            }
        }
        entries
    }
}

impl TryFrom<String> for KeysBlob {
    type Error = InvalidKeysBlob;

    fn try_from(text: String) -> Result<Self, InvalidKeysBlob> {
        // Before decoding, so that a long text costs nothing.
        if text.len() > MAX_KEYS_BYTES.div_ceil(3) * 4 {
            return Err(InvalidKeysBlob);
        }
        let bytes = URL_SAFE_NO_PAD.decode(&text).map_err(|_| InvalidKeysBlob)?;
        Self::from_bytes(&bytes)
    }
}

impl From<KeysBlob> for String {
    fn from(blob: KeysBlob) -> Self {
        blob.0
    }
}

impl fmt::Debug for KeysBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeysBlob({} characters)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_age_file_of_at_most_16_kib_is_a_blob() {
        let file = |bytes: usize| {
            let mut file = FIRST_LINE.to_vec();
            file.resize(bytes, b'x');
            file
        };
        for bytes in [MIN_BYTES, 25, 26, 27, 1_000, MAX_KEYS_BYTES] {
            let blob = KeysBlob::from_bytes(&file(bytes)).unwrap();
            assert_eq!(blob.to_bytes(), file(bytes));
            assert_eq!(KeysBlob::try_from(String::from(blob.clone())), Ok(blob));
        }
        for bytes in [0, FIRST_LINE.len(), MIN_BYTES - 1, MAX_KEYS_BYTES + 1, 1 << 20] {
            let other = file(bytes);
            assert_eq!(KeysBlob::from_bytes(&other), Err(InvalidKeysBlob), "{bytes}");
            assert_eq!(KeysBlob::try_from(URL_SAFE_NO_PAD.encode(other)), Err(InvalidKeysBlob), "{bytes}");
        }
        let text = URL_SAFE_NO_PAD.encode(file(100));
        for other in
            [format!("{text}="), text.replacen('Y', "+", 1), text[1..].to_owned(), URL_SAFE_NO_PAD.encode([7; 100])]
        {
            assert_eq!(KeysBlob::try_from(other.clone()), Err(InvalidKeysBlob), "{other}");
        }
    }

    #[test]
    fn entries_are_counted_by_kind() {
        let header = "age-encryption.org/v1\n-> X25519 a\nb\n-> X25519 c\n-> d\n-> ssh-ed25519 e f\ng\n-> piv-p256 h\ni\n-> x-grease\n\
                      --- mac\n-> X25519 in the payload\n";
        let entries = KeysBlob::from_bytes(header.as_bytes()).unwrap().entries();
        assert_eq!(entries, KeysEntries { x25519: 2, ssh_ed25519: 1, other: 2 });
    }
}
