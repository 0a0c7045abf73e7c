//! Info block: what a recipient may know before a download is counted, encrypted with the payload key.
//!
//! The server stores it as it is, and learns its length in KiB.

use serde::{Deserialize, Serialize};

use super::aead::Purpose;
use super::envelope::Metadata;
use super::key::PayloadKey;
use super::sealed_block::{self, MAX_BYTES, sealed_block};

/// Purpose of the key that seals info blocks. The payload key belongs to one payload, which binds the block to it.
const INFO: Purpose<'static> = Purpose { label: b"sgsend/v1/info", bound_to: &[] };
/// Maximum length of a message, in Unicode characters.
pub const MAX_MESSAGE_CHARACTERS: usize = 2_000;
/// Maximum length of a media type in bytes: longer ones are in the envelope only.
const MAX_TYPE_BYTES: usize = 255;

/// Description of a content, for recipients before they download. Names and texts come from the sender and are not sanitised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentInfo {
    /// File name as in the envelope; shortened if it does not fit.
    pub filename: String,
    /// Content size in bytes.
    pub size: u64,
    /// Media type of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Content of an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveInfo>,
    /// Message of the sender to the recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Modification time of the file, in milliseconds since 1970-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ms: Option<i64>,
}

/// Content of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveInfo {
    /// Number of files.
    pub files: u64,
    /// Total size of the files, in bytes.
    pub bytes: u64,
}

sealed_block!(
    /// Encrypted info block in its text form: base64url of nonce, ciphertext and tag.
    SealedInfo,
    /// The text is not an encrypted info block.
    InvalidInfo,
    "an info block"
);

/// The info block cannot be decrypted with this key, or does not contain an info block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the info block is damaged or belongs to another key")]
pub struct DamagedInfo;

impl ContentInfo {
    /// Creates the info of a content with this `metadata`.
    #[must_use]
    pub fn of(metadata: &Metadata, archive: Option<ArchiveInfo>, message: Option<String>) -> Self {
        Self {
            filename: metadata.filename.clone(),
            size: metadata.size,
            content_type: metadata.content_type.clone().filter(|kind| kind.len() <= MAX_TYPE_BYTES),
            archive,
            message,
            modified_ms: metadata.modified_ms,
        }
    }

    /// Returns whether name, size and kind are those of the envelope. The name may be shortened here.
    #[must_use]
    pub fn agrees_with(&self, metadata: &Metadata) -> bool {
        let is_same_name = match self.filename.strip_suffix(ELLIPSIS) {
            Some(start) => metadata.filename.starts_with(start),
            None => self.filename == metadata.filename,
        };
        is_same_name && self.size == metadata.size && self.archive.is_some() == metadata.archive.is_some()
    }

    /// Encrypts the info under a random nonce.
    ///
    /// # Panics
    /// If the message is longer than [`MAX_MESSAGE_CHARACTERS`].
    #[must_use]
    pub fn seal(&self, key: &PayloadKey) -> SealedInfo {
        SealedInfo(sealed_block::seal(key, INFO, self.to_json()))
    }

    /// Encodes the info, with a name that is short enough.
    fn to_json(&self) -> Vec<u8> {
        let encode = |info: &Self| serde_json::to_vec(info).expect("an info has no maps");
        let mut json = encode(self);
        let mut name = self.filename.as_str();
        while json.len() > MAX_BYTES {
            // A character takes six bytes of JSON at most.
            let excess = (json.len() - MAX_BYTES).div_ceil(6) + ELLIPSIS.len();
            assert!(!name.is_empty(), "the message is too long");
            name = &name[..name.floor_char_boundary(name.len().saturating_sub(excess))];
            json = encode(&Self { filename: format!("{name}{ELLIPSIS}"), ..self.clone() });
        }
        json
    }
}

/// End of a name that was shortened.
const ELLIPSIS: &str = "…";

impl SealedInfo {
    /// Decrypts the info block.
    ///
    /// # Errors
    /// [`DamagedInfo`] if it belongs to another key, was changed, or has no valid content.
    pub fn open(&self, key: &PayloadKey) -> Result<ContentInfo, DamagedInfo> {
        let json = sealed_block::open(key, INFO, &self.0).ok_or(DamagedInfo)?;
        let info: ContentInfo = serde_json::from_slice(&json).map_err(|_| DamagedInfo)?;
        let message_length = info.message.as_ref().map_or(0, |message| message.chars().count());
        if message_length > MAX_MESSAGE_CHARACTERS { Err(DamagedInfo) } else { Ok(info) }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn info(filename: &str, message: Option<&str>) -> ContentInfo {
        ContentInfo {
            filename: filename.to_owned(),
            size: 5,
            content_type: Some("text/plain".to_owned()),
            archive: Some(ArchiveInfo { files: 2, bytes: 4 }),
            message: message.map(str::to_owned),
            modified_ms: Some(-1),
        }
    }

    #[test]
    fn an_info_block_opens_with_its_key_only() {
        let key = PayloadKey::random();
        let info = info("ä", Some("Hello"));
        let sealed = info.seal(&key);
        assert_eq!(sealed.as_str().len(), 1403);
        assert_eq!(sealed.open(&key), Ok(info.clone()));
        assert_eq!(sealed.as_str().parse(), Ok(sealed.clone()));
        assert_ne!(info.seal(&key), sealed, "the nonce is not random");
        assert_eq!(sealed.open(&PayloadKey::random()), Err(DamagedInfo));
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed.as_str()).unwrap();
        for at in [0, 11, 12, 500, bytes.len() - 1] {
            bytes[at] ^= 1;
            let changed: SealedInfo = URL_SAFE_NO_PAD.encode(&bytes).parse().unwrap();
            assert_eq!(changed.open(&key), Err(DamagedInfo), "byte {at}");
            bytes[at] ^= 1;
        }
    }

    #[test]
    fn lengths_show_the_content_in_steps_of_a_kibibyte() {
        let key = PayloadKey::random();
        let longest = "\u{1}".repeat(MAX_MESSAGE_CHARACTERS);
        for (name, message, characters) in [
            ("a".repeat(800), None, 1403),
            ("a".repeat(1_000), None, 2768),
            ("a".repeat(60_000), None, 21_883),
            ("\u{1}".repeat(60_000), Some(longest.as_str()), 21_883),
            ("ä€😀".repeat(9_000), Some(longest.as_str()), 21_883),
        ] {
            let info = info(&name, message);
            let opened = info.seal(&key).open(&key).unwrap();
            assert_eq!(info.seal(&key).as_str().len(), characters);
            let start = opened.filename.strip_suffix(ELLIPSIS);
            assert!(start.map_or(opened.filename == name, |start| name.starts_with(start) && !start.is_empty()));
            assert_eq!(ContentInfo { filename: name.clone(), ..opened.clone() }, info);
            let metadata = Metadata {
                filename: name,
                size: 5,
                content_type: None,
                modified_ms: None,
                archive: Some(crate::domain::crypto::envelope::Archive::Tar),
                mode: None,
                signed: false,
            };
            assert!(opened.agrees_with(&metadata));
            assert!(!opened.agrees_with(&Metadata { size: 6, ..metadata.clone() }));
            assert!(!opened.agrees_with(&Metadata { filename: "b".to_owned(), ..metadata.clone() }));
            assert!(!opened.agrees_with(&Metadata { archive: None, ..metadata }));
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        let text = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![7; bytes]);
        for bytes in [1024 + 28, 2048 + 28, 16 * 1024 + 28] {
            assert!(text(bytes).parse::<SealedInfo>().is_ok(), "{bytes}");
        }
        for bytes in [0, 27, 28, 1024, 1024 + 27, 1024 + 29, 17 * 1024 + 28, 1 << 20] {
            assert_eq!(text(bytes).parse::<SealedInfo>(), Err(InvalidInfo), "{bytes}");
        }
        let good = text(1024 + 28);
        for other in [good.clone() + "=", good.replacen('B', "+", 1), good.replacen('B', " ", 1)] {
            assert_eq!(other.parse::<SealedInfo>(), Err(InvalidInfo));
        }
    }

    #[test]
    fn unknown_members_are_ignored_and_content_is_checked() {
        let key = PayloadKey::random();
        let seal = |json: &str| SealedInfo(sealed_block::seal(&key, INFO, json.as_bytes().to_vec()));
        let opened = seal(r#"{"colour":[1],"size":1,"filename":"a"}"#).open(&key).unwrap();
        assert_eq!((opened.filename.as_str(), opened.size, opened.message), ("a", 1, None));
        let long = format!(r#"{{"filename":"a","size":1,"message":"{}"}}"#, "m".repeat(MAX_MESSAGE_CHARACTERS + 1));
        for json in ["", "{}", "[]", r#"{"filename":"a"}"#, r#"{"filename":"a","size":-1}"#, &long] {
            assert_eq!(seal(json).open(&key), Err(DamagedInfo), "{json}");
        }
    }
}
