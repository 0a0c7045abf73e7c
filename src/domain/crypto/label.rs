//! Labels: names that a sender gives to the links of a transfer, which the server stores encrypted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::aead::{self, Purpose};
use super::key::PayloadKey;
use super::link_text::SealedLabel;
use crate::domain::id::LinkId;

/// Label of the key derivation, and start of the associated data.
const LABEL: &[u8] = b"sgsend/v1/label";
/// Maximum length of a name in UTF-8, and size of each padded name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Name of a link, such as that of its recipient: 1 to 64 bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkName(String);

/// The text is not a name of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLinkName {
    /// The name is empty, or has white space only.
    #[error("the name of the link is empty")]
    Empty,
    /// The name has more than [`MAX_NAME_BYTES`] bytes.
    #[error("the name of the link has {bytes} bytes in UTF-8: at most {MAX_NAME_BYTES} are allowed")]
    TooLong {
        /// Length of the name in UTF-8, in bytes.
        bytes: usize,
    },
    /// The name contains a control character, such as a tab or a line break.
    #[error("the name of the link contains a control character")]
    ControlCharacter,
}

/// The label cannot be decrypted with this key for this link, or contains no valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the label is damaged or belongs to another link")]
pub struct DamagedLabel;

impl LinkName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Seals the name for the link with the id `link_id`, under a random nonce.
    ///
    /// The name is padded with zero bytes to 64 bytes. AES-256-GCM with the key HKDF-SHA256(payload key, salt empty, info
    /// `sgsend/v1/label`, 32 bytes) and the associated data `sgsend/v1/label` · 16 raw bytes of the link id.
    #[must_use]
    pub fn seal(&self, key: &PayloadKey, link_id: LinkId) -> SealedLabel {
        let mut padded = self.0.as_bytes().to_vec();
        padded.resize(MAX_NAME_BYTES, 0);
        seal(key, link_id, &padded)
    }
}

impl SealedLabel {
    /// Decrypts the name of the link with the id `link_id`.
    ///
    /// # Errors
    /// [`DamagedLabel`] if the label belongs to another key or link, was changed, or contains no valid name.
    pub fn open(&self, key: &PayloadKey, link_id: LinkId) -> Result<LinkName, DamagedLabel> {
        let padded = aead::open(key.as_bytes(), purpose(&link_id), &self.to_bytes()).ok_or(DamagedLabel)?;
        let length = padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let name = std::str::from_utf8(&padded[..length]).map_err(|_| DamagedLabel)?;
        name.parse().map_err(|_| DamagedLabel)
    }
}

fn seal(key: &PayloadKey, link_id: LinkId, padded: &[u8]) -> SealedLabel {
    let sealed = aead::seal(key.as_bytes(), purpose(&link_id), padded);
    SealedLabel::from_bytes(sealed.as_slice().try_into().expect("nonce, padded name and tag have 92 bytes"))
}

fn purpose(link_id: &LinkId) -> Purpose<'_> {
    Purpose { label: LABEL, bound_to: link_id.as_bytes() }
}

impl FromStr for LinkName {
    type Err = InvalidLinkName;

    fn from_str(text: &str) -> Result<Self, InvalidLinkName> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for LinkName {
    type Error = InvalidLinkName;

    fn try_from(text: String) -> Result<Self, InvalidLinkName> {
        if text.trim().is_empty() {
            return Err(InvalidLinkName::Empty);
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(InvalidLinkName::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) { Err(InvalidLinkName::ControlCharacter) } else { Ok(Self(text)) }
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::link_text::SEALED_LABEL_BYTES;

    #[test]
    fn a_label_opens_with_its_payload_key_and_link_id_only() {
        let (key, id) = (PayloadKey::random(), LinkId::random());
        for text in ["A", "Ada Lovelace", "Zoë & 茜", &"x".repeat(MAX_NAME_BYTES)] {
            let name: LinkName = text.parse().unwrap();
            let sealed = name.seal(&key, id);
            assert_eq!(sealed.open(&key, id), Ok(name.clone()));
            assert_ne!(name.seal(&key, id), sealed, "the nonce is not random");
            assert_eq!(sealed.open(&PayloadKey::random(), id), Err(DamagedLabel));
            assert_eq!(sealed.open(&key, LinkId::random()), Err(DamagedLabel));
            for at in 0..SEALED_LABEL_BYTES {
                let mut bytes = sealed.to_bytes();
                bytes[at] ^= 1;
                assert_eq!(SealedLabel::from_bytes(&bytes).open(&key, id), Err(DamagedLabel), "{at}");
            }
        }
    }

    #[test]
    fn names_are_short_and_visible() {
        for (text, error) in [
            (String::new(), InvalidLinkName::Empty),
            (" \u{a0}".into(), InvalidLinkName::Empty),
            ("x".repeat(65), InvalidLinkName::TooLong { bytes: 65 }),
            ("ä".repeat(33), InvalidLinkName::TooLong { bytes: 66 }),
            ("a\tb".into(), InvalidLinkName::ControlCharacter),
            ("a\n".into(), InvalidLinkName::ControlCharacter),
            ("a\0".into(), InvalidLinkName::ControlCharacter),
        ] {
            assert_eq!(text.parse::<LinkName>(), Err(error), "{text:?}");
        }
        assert!("ä".repeat(32).parse::<LinkName>().is_ok());
    }

    #[test]
    fn sealed_contents_without_a_valid_name_are_damaged() {
        let (key, id) = (PayloadKey::random(), LinkId::random());
        for content in [[0; 64], [0xff; 64], [b'\n'; 64]] {
            let sealed = seal(&key, id, &content);
            assert_eq!(sealed.open(&key, id), Err(DamagedLabel));
        }
        let mut inner = [b'a'; 64];
        inner[3] = 0;
        let sealed = seal(&key, id, &inner);
        assert_eq!(sealed.open(&key, id), Err(DamagedLabel), "a zero byte within a name");
    }
}
