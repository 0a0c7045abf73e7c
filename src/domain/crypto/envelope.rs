//! The envelope: file metadata in front of the content. It is sealed with the content and so hidden from servers.
//!
//! Plaintext format: `SGMETA\0` · length of the metadata in bytes as a big-endian `u32` · metadata as UTF-8 JSON ·
//! content · padding of zero bytes.

use serde::{Deserialize, Serialize};

use super::padding::least_unpadded_size;

/// Magic bytes at the start of every envelope.
const MAGIC: &[u8; 7] = b"SGMETA\0";

/// Bytes before the metadata: the magic and the length field.
const PREFIX_BYTES: usize = MAGIC.len() + 4;

/// Maximum size of the metadata in bytes.
pub const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Maximum size of an envelope in bytes; every envelope fits into the payload's first segment.
pub const MAX_ENVELOPE_BYTES: usize = PREFIX_BYTES + MAX_METADATA_BYTES;

/// Metadata of the content, as stated by the sender. Decoding ignores unknown members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Unsanitised file name without a path; for an archive, the name of the directory to create.
    ///
    /// Pass it through [`safe_file_name`](crate::domain::file_name::safe_file_name) before creating anything.
    pub filename: String,
    /// Content size in bytes.
    pub size: u64,
    /// Media type of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Modification time of the file, in milliseconds since 1970-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ms: Option<i64>,
    /// Archive format, if the content is an archive of several files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
    /// Unix permissions of an archive's directory, or of an executable file; see [`Metadata::permissions`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Whether the sender has signed the payload: without a valid signature, it is damaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
}

impl Metadata {
    /// Returns the read, write and execute permissions. Omits the set-user-ID, set-group-ID and sticky bits.
    #[must_use]
    pub fn permissions(&self) -> Option<u32> {
        self.mode.map(|mode| mode & 0o777)
    }
}

/// Archive format of a content that consists of several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    /// A tar archive (POSIX pax).
    Tar,
}

/// A decoded envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The decoded metadata.
    pub metadata: Metadata,
    /// Size of the envelope in bytes, which is the offset of the content in the plaintext.
    pub length: usize,
}

/// The plaintext has no valid envelope, or its content does not match the envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The plaintext does not start with the magic bytes.
    #[error("the payload does not start with an envelope")]
    NotAnEnvelope,
    /// The plaintext ends inside the envelope.
    #[error("the payload ends inside its envelope")]
    Truncated,
    /// The metadata is longer than [`MAX_METADATA_BYTES`].
    #[error("the envelope's metadata has {length} bytes, over the limit of {MAX_METADATA_BYTES} bytes")]
    TooLong {
        /// Length of the metadata in bytes.
        length: u64,
    },
    /// The metadata is not valid JSON, or a member is missing or has the wrong type.
    #[error("the envelope's metadata is invalid")]
    Metadata(#[source] serde_json::Error),
    /// The payload ends before the end of its content.
    #[error("the payload contains {actual} bytes of content, but its envelope states {stated} bytes")]
    Size {
        /// Actual content size in bytes.
        actual: u64,
        /// Content size stated in the metadata, in bytes.
        stated: u64,
    },
    /// Bytes other than zero follow the content.
    #[error("the payload has other data after its content")]
    Padding,
}

/// Returns the least content size in bytes of a padded plaintext of `plaintext` bytes.
///
/// For payloads from clients of this project.
#[must_use]
pub const fn least_content_size(plaintext: u64) -> u64 {
    least_unpadded_size(plaintext).saturating_sub(MAX_ENVELOPE_BYTES as u64)
}

/// Encodes `metadata` as an envelope; the content follows it in the plaintext.
pub fn encode(metadata: &Metadata) -> Result<Vec<u8>, EnvelopeError> {
    let mut envelope = Vec::with_capacity(256);
    envelope.extend_from_slice(MAGIC);
    envelope.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut envelope, metadata).map_err(EnvelopeError::Metadata)?;
    let length = check_length(envelope.len() - PREFIX_BYTES)?;
    envelope[MAGIC.len()..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(envelope)
}

/// Decodes the envelope at the start of a plaintext from `prefix`, the bytes decrypted so far.
///
/// Returns `None` if more bytes are needed. A complete first segment is always enough: `None` for a complete first
/// segment, or for a complete plaintext, means [`EnvelopeError::Truncated`].
pub fn decode(prefix: &[u8]) -> Result<Option<Envelope>, EnvelopeError> {
    let compared = prefix.len().min(MAGIC.len());
    if prefix[..compared] != MAGIC[..compared] {
        return Err(EnvelopeError::NotAnEnvelope);
    }
    let Some((length, rest)) = prefix.get(MAGIC.len()..).and_then(<[u8]>::split_first_chunk) else {
        return Ok(None);
    };
    let metadata_length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    check_length(metadata_length)?;
    let Some(json) = rest.get(..metadata_length) else { return Ok(None) };
    let metadata = serde_json::from_slice(json).map_err(EnvelopeError::Metadata)?;
    Ok(Some(Envelope { metadata, length: PREFIX_BYTES + metadata_length }))
}

impl Envelope {
    /// Checks that a plaintext of this total size in bytes, envelope included, has room for the content.
    ///
    /// Any further bytes are padding.
    pub fn check_plaintext_size(&self, plaintext_size: u64) -> Result<(), EnvelopeError> {
        let actual = plaintext_size.saturating_sub(self.length as u64);
        let stated = self.metadata.size;
        if actual >= stated { Ok(()) } else { Err(EnvelopeError::Size { actual, stated }) }
    }
}

/// Converts the length of the metadata, or rejects a length over the limit.
fn check_length(length: usize) -> Result<u32, EnvelopeError> {
    match u32::try_from(length) {
        Ok(short) if length <= MAX_METADATA_BYTES => Ok(short),
        _ => Err(EnvelopeError::TooLong { length: length as u64 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn metadata(filename: &str) -> Metadata {
        Metadata {
            filename: filename.into(),
            size: 5,
            content_type: None,
            modified_ms: None,
            archive: None,
            mode: None,
            signed: false,
        }
    }

    fn framed(json: &str) -> Vec<u8> {
        let length = u32::try_from(json.len()).unwrap();
        [MAGIC.as_slice(), &length.to_be_bytes(), json.as_bytes()].concat()
    }

    #[test]
    fn absent_members_are_omitted() {
        assert_eq!(encode(&metadata("a")).unwrap(), framed(r#"{"filename":"a","size":5}"#));
        let full = Metadata {
            content_type: Some("text/plain".into()),
            modified_ms: Some(-1),
            archive: Some(Archive::Tar),
            mode: Some(0o700),
            signed: true,
            ..metadata("ä")
        };
        let json = r#"{"filename":"ä","size":5,"content_type":"text/plain","modified_ms":-1,"archive":"tar","mode":448,"signed":true}"#;
        assert_eq!(encode(&full).unwrap(), framed(json));
        assert_eq!(decode(&framed(json)).unwrap().unwrap().metadata, full);
        assert_eq!(Metadata { mode: Some(0o10_6755), ..full }.permissions(), Some(0o755));
    }

    #[test]
    fn unknown_members_are_ignored() {
        let envelope =
            decode(&framed(r#"{"size":5,"colour":{"a":[1]},"filename":"a","archive":null}"#)).unwrap().unwrap();
        assert_eq!(envelope.metadata, metadata("a"));
    }

    #[test]
    fn other_plaintexts_are_rejected_at_the_first_different_byte() {
        for prefix in [b"X".as_slice(), b"SGX", b"SGMETA ", b"SGMETA\x01rest", b"hello, world"] {
            assert!(matches!(decode(prefix), Err(EnvelopeError::NotAnEnvelope)), "{prefix:?}");
        }
    }

    #[test]
    fn invalid_metadata_is_rejected() {
        for json in [
            "",
            "{}",
            "[]",
            "{",
            r#"{"filename":"a"}"#,
            r#"{"filename":1,"size":5}"#,
            r#"{"filename":"a","size":-1}"#,
            r#"{"filename":"a","size":5,"archive":"zip"}"#,
            r#"{"filename":"a","size":5,"mode":-1}"#,
            r#"{"filename":"a","size":5} x"#,
        ] {
            assert!(matches!(decode(&framed(json)), Err(EnvelopeError::Metadata(_))), "{json}");
        }
    }

    #[test]
    fn metadata_is_at_most_64_kib() {
        let space = MAX_METADATA_BYTES - r#"{"filename":"","size":5}"#.len();
        let longest = encode(&metadata(&"a".repeat(space))).unwrap();
        assert_eq!(longest.len(), MAX_ENVELOPE_BYTES);
        assert_eq!(MAX_ENVELOPE_BYTES, 65_547);
        assert_eq!(decode(&longest).unwrap().unwrap().length, MAX_ENVELOPE_BYTES);
        assert!(matches!(encode(&metadata(&"a".repeat(space + 1))), Err(EnvelopeError::TooLong { length: 65_537 })));
        for length in [65_537, u32::MAX] {
            let prefix = [MAGIC.as_slice(), &length.to_be_bytes()].concat();
            assert!(matches!(decode(&prefix), Err(EnvelopeError::TooLong { .. })), "the decoder waits for more bytes");
        }
    }

    #[test]
    fn content_is_at_least_as_long_as_stated() {
        let envelope = Envelope { metadata: metadata("a"), length: 40 };
        for size in [45, 46, u64::MAX] {
            assert!(envelope.check_plaintext_size(size).is_ok());
        }
        for size in [0, 39, 44] {
            assert!(
                matches!(envelope.check_plaintext_size(size), Err(EnvelopeError::Size { stated: 5, .. })),
                "{size}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_prefix_with_envelope_decodes(filename: String, size: u64, content: Vec<u8>, cut: prop::sample::Index) {
            let metadata = Metadata { filename, size, ..metadata("") };
            let envelope = encode(&metadata).unwrap();
            let plaintext = [envelope.as_slice(), &content].concat();
            let prefix = &plaintext[..cut.index(plaintext.len() + 1)];
            let expected = (prefix.len() >= envelope.len()).then_some(Envelope { metadata, length: envelope.len() });
            prop_assert_eq!(decode(prefix).unwrap(), expected);
        }

        #[test]
        fn the_decoder_never_panics(json: Vec<u8>) {
            let length = u32::try_from(json.len()).unwrap();
            let _ = decode(&[MAGIC.as_slice(), &length.to_be_bytes(), &json].concat());
            let _ = decode(&json);
        }
    }
}
