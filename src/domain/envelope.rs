//! The envelope: what stands before a file's content inside the sealed payload, so that no name reaches a server.
//!
//! `SGMETA\0` · length of the metadata as a big-endian `u32` · metadata as UTF-8 JSON · content.

use serde::{Deserialize, Serialize};

/// What every envelope begins with.
const MAGIC: &[u8; 7] = b"SGMETA\0";

/// How many bytes stand before the metadata.
const PREFIX_BYTES: usize = MAGIC.len() + 4;

/// The most bytes that the metadata may take.
pub const MAX_METADATA_BYTES: usize = 64 * 1024;

/// The most bytes that an envelope adds to a file's content. All of it lies within the payload's first segment.
pub const MAX_ENVELOPE_BYTES: usize = PREFIX_BYTES + MAX_METADATA_BYTES;

/// What the sender says of the content. Members that are not known are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The file's bare name as the sender gave it: to be passed through
    /// [`safe_file_name`](super::file_name::safe_file_name) before anything is created. Of an archive, the directory to make.
    pub filename: String,
    /// How many bytes of content there are.
    pub size: u64,
    /// The content's media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// When the file was last modified, in milliseconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ms: Option<i64>,
    /// Set where the content is an archive of several files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
}

/// How several files were packed into one content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    /// A tar archive (POSIX pax).
    Tar,
}

/// An envelope that was read off the front of a payload's plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What it says.
    pub metadata: Metadata,
    /// How many bytes of plaintext belong to it; the content begins behind them.
    pub length: usize,
}

/// A plaintext that does not begin with a sound envelope, or does not hold what its envelope says.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The plaintext begins with something else.
    #[error("the payload holds no envelope")]
    NotAnEnvelope,
    /// The plaintext ends within the envelope.
    #[error("the payload ends within its envelope")]
    CutShort,
    /// The metadata takes more than [`MAX_METADATA_BYTES`].
    #[error("the envelope's metadata takes {length} bytes, more than {MAX_METADATA_BYTES}")]
    TooLong {
        /// How many bytes the metadata takes.
        length: u64,
    },
    /// The metadata is not the JSON object it should be.
    #[error("the envelope's metadata cannot be read")]
    Metadata(#[source] serde_json::Error),
    /// The content is not as long as the metadata says.
    #[error("the payload holds {actual} bytes of content, and its envelope says {stated}")]
    Size {
        /// How many bytes of content there are.
        actual: u64,
        /// How many the metadata states.
        stated: u64,
    },
}

/// Writes the envelope for `metadata`, to be followed by the content.
pub fn encode(metadata: &Metadata) -> Result<Vec<u8>, EnvelopeError> {
    let mut envelope = Vec::with_capacity(256);
    envelope.extend_from_slice(MAGIC);
    envelope.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut envelope, metadata).map_err(EnvelopeError::Metadata)?;
    let length = check_length(envelope.len() - PREFIX_BYTES)?;
    envelope[MAGIC.len()..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(envelope)
}

/// Reads the envelope off the front of a plaintext, of which `prefix` is what is there so far.
///
/// Gives `None` while more is needed. The whole first segment is always enough: `None` for that, or for a whole plaintext,
/// means [`EnvelopeError::CutShort`].
pub fn decode(prefix: &[u8]) -> Result<Option<Envelope>, EnvelopeError> {
    let seen = prefix.len().min(MAGIC.len());
    if prefix[..seen] != MAGIC[..seen] {
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
    /// Checks that a plaintext of `plaintext_size` bytes in all, envelope included, holds as much content as is stated.
    pub fn check_plaintext_size(&self, plaintext_size: u64) -> Result<(), EnvelopeError> {
        let actual = plaintext_size.saturating_sub(self.length as u64);
        let stated = self.metadata.size;
        if actual == stated { Ok(()) } else { Err(EnvelopeError::Size { actual, stated }) }
    }
}

/// Refuses lengths of metadata beyond the limit.
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
        Metadata { filename: filename.into(), size: 5, content_type: None, modified_ms: None, archive: None }
    }

    fn around(json: &str) -> Vec<u8> {
        let length = u32::try_from(json.len()).unwrap();
        [MAGIC.as_slice(), &length.to_be_bytes(), json.as_bytes()].concat()
    }

    #[test]
    fn what_is_absent_is_left_out() {
        assert_eq!(encode(&metadata("a")).unwrap(), around(r#"{"filename":"a","size":5}"#));
        let full = Metadata {
            content_type: Some("text/plain".into()),
            modified_ms: Some(-1),
            archive: Some(Archive::Tar),
            ..metadata("ä")
        };
        let json = r#"{"filename":"ä","size":5,"content_type":"text/plain","modified_ms":-1,"archive":"tar"}"#;
        assert_eq!(encode(&full).unwrap(), around(json));
        assert_eq!(decode(&around(json)).unwrap().unwrap().metadata, full);
    }

    #[test]
    fn unknown_members_are_ignored() {
        let envelope =
            decode(&around(r#"{"size":5,"colour":{"a":[1]},"filename":"a","archive":null}"#)).unwrap().unwrap();
        assert_eq!(envelope.metadata, metadata("a"));
    }

    #[test]
    fn other_plaintexts_are_told_at_the_first_byte_that_differs() {
        for prefix in [b"X".as_slice(), b"SGX", b"SGMETA ", b"SGMETA\x01rest", b"hello, world"] {
            assert!(matches!(decode(prefix), Err(EnvelopeError::NotAnEnvelope)), "{prefix:?}");
        }
    }

    #[test]
    fn unsound_metadata_is_refused() {
        for json in [
            "",
            "{}",
            "[]",
            "{",
            r#"{"filename":"a"}"#,
            r#"{"filename":1,"size":5}"#,
            r#"{"filename":"a","size":-1}"#,
            r#"{"filename":"a","size":5,"archive":"zip"}"#,
            r#"{"filename":"a","size":5} x"#,
        ] {
            assert!(matches!(decode(&around(json)), Err(EnvelopeError::Metadata(_))), "{json}");
        }
    }

    #[test]
    fn metadata_is_at_most_64_kib() {
        let room = MAX_METADATA_BYTES - r#"{"filename":"","size":5}"#.len();
        let longest = encode(&metadata(&"a".repeat(room))).unwrap();
        assert_eq!(longest.len(), MAX_ENVELOPE_BYTES);
        assert_eq!(MAX_ENVELOPE_BYTES, 65_547);
        assert_eq!(decode(&longest).unwrap().unwrap().length, MAX_ENVELOPE_BYTES);
        assert!(matches!(encode(&metadata(&"a".repeat(room + 1))), Err(EnvelopeError::TooLong { length: 65_537 })));
        for length in [65_537, u32::MAX] {
            let prefix = [MAGIC.as_slice(), &length.to_be_bytes()].concat();
            assert!(matches!(decode(&prefix), Err(EnvelopeError::TooLong { .. })), "no more is waited for");
        }
    }

    #[test]
    fn content_is_as_long_as_stated() {
        let envelope = Envelope { metadata: metadata("a"), length: 40 };
        assert!(envelope.check_plaintext_size(45).is_ok());
        for size in [0, 39, 44, 46, u64::MAX] {
            assert!(
                matches!(envelope.check_plaintext_size(size), Err(EnvelopeError::Size { stated: 5, .. })),
                "{size}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_envelope_is_read_from_any_prefix_that_holds_it(filename: String, size: u64, content: Vec<u8>, cut: prop::sample::Index) {
            let metadata = Metadata { filename, size, ..metadata("") };
            let envelope = encode(&metadata).unwrap();
            let plaintext = [envelope.as_slice(), &content].concat();
            let prefix = &plaintext[..cut.index(plaintext.len() + 1)];
            let expected = (prefix.len() >= envelope.len()).then_some(Envelope { metadata, length: envelope.len() });
            prop_assert_eq!(decode(prefix).unwrap(), expected);
        }

        #[test]
        fn no_bytes_make_the_decoder_fail_otherwise(json: Vec<u8>) {
            let length = u32::try_from(json.len()).unwrap();
            let _ = decode(&[MAGIC.as_slice(), &length.to_be_bytes(), &json].concat());
            let _ = decode(&json);
        }
    }
}
