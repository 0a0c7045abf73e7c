//! Format of a mutable object in the bucket: its content, followed by a log of its latest writes.
//!
//! The content is the object's first bytes; its length is in the object's metadata. A line break and the write log as
//! JSON ([`WriteLog`]) follow. Immutable objects consist of their content alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::domain::crypto::random;
use crate::domain::store::{StorageKey, StoreError, Version, from_json, to_json};
use crate::domain::timestamp::Timestamp;

/// Metadata key of the content's length in bytes.
pub(super) const CONTENT_LENGTH: &str = "sgsend-content";

/// Maximum number of write ids in a write log.
const MAX_WRITES: usize = 64;

/// Id of one logical write, shared by all its retries: 64 random bits in hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct WriteId(String);

impl WriteId {
    pub(super) fn random() -> Self {
        Self(random::name())
    }
}

/// Write log of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WriteLog {
    /// Number of writes to the object.
    pub(super) seq: u64,
    /// ids of the latest writes, newest last. A writer that lost the response looks for its id in this list to learn
    /// whether the write was applied.
    pub(super) writes: Vec<WriteId>,
    /// Time of the latest write.
    pub(super) at: Timestamp,
    /// Records of the latest write, for another server to store if the writer crashed first.
    pub(super) outbox: Vec<OutboxRecord>,
}

/// Record in the outbox, stored or not yet stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutboxRecord {
    key: String,
    base64: String,
}

impl WriteLog {
    /// Creates the write log of a write that follows the one with the log `before`.
    pub(super) fn after(before: Option<&Self>, id: WriteId, at: Timestamp, records: &[(StorageKey, Bytes)]) -> Self {
        let mut writes = before.map(|before| before.writes.clone()).unwrap_or_default();
        writes.push(id);
        writes.drain(..writes.len().saturating_sub(MAX_WRITES));
        let pending =
            |(key, value): &(StorageKey, Bytes)| OutboxRecord { key: key.to_string(), base64: STANDARD.encode(value) };
        Self {
            seq: before.map_or(0, |before| before.seq) + 1,
            writes,
            at,
            outbox: records.iter().map(pending).collect(),
        }
    }

    /// Returns the id of the latest write.
    pub(super) fn last(&self) -> Option<&WriteId> {
        self.writes.last()
    }

    /// Returns whether the write `id` was applied; `None` if it may have dropped out of the log.
    ///
    /// `seq` is the sequence number that the write would have.
    pub(super) fn contains(&self, id: &WriteId, seq: u64) -> Option<bool> {
        if self.writes.contains(id) {
            return Some(true);
        }
        let forgotten = self.seq.saturating_sub(seq) >= MAX_WRITES as u64;
        (!forgotten).then_some(false)
    }

    /// Decodes the records of the latest write.
    pub(super) fn records(&self) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let record = |pending: &OutboxRecord| {
            let value = STANDARD.decode(&pending.base64).map_err(StoreError::unavailable)?;
            Ok((StorageKey::from_backend(pending.key.clone()), value.into()))
        };
        self.outbox.iter().map(record).collect()
    }

    /// Returns the object's bytes: `content` followed by this log.
    pub(super) fn attach(&self, content: &Bytes) -> Bytes {
        [content, &b"\n"[..], &to_json(self)].concat().into()
    }
}

/// Object as read from the bucket.
#[derive(Clone, Debug)]
pub(super) struct StoredObject {
    pub(super) content: Bytes,
    pub(super) version: ObjectVersion,
}

/// Contents of a [`Version`] of this backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectVersion {
    /// Entity tag, the condition of the next write.
    pub(super) etag: String,
    /// Write log of the object; `None` for an immutable object.
    pub(super) log: Option<WriteLog>,
}

impl StoredObject {
    /// Splits an object whose content has `length` bytes into content and write log.
    ///
    /// Without `length` the whole body is content.
    pub(super) fn parse(key: &str, etag: String, body: &Bytes, length: Option<usize>) -> Result<Self, StoreError> {
        let Some(length) = length else {
            return Ok(Self { content: body.clone(), version: ObjectVersion { etag, log: None } });
        };
        let corrupt = || StoreError::unavailable(format!("{key} is shorter than its metadata say"));
        let log = body.get(length.saturating_add(1)..).ok_or_else(corrupt)?;
        let version = ObjectVersion { etag, log: Some(from_json(key, log)?) };
        Ok(Self { content: body.slice(..length), version })
    }
}

impl ObjectVersion {
    /// Encodes the version for callers.
    pub(super) fn to_version(&self) -> Version {
        Version(serde_json::to_string(self).expect("strings and numbers always serialise to JSON"))
    }

    /// Decodes a version; `None` for a version of another backend, which matches no object here.
    pub(super) fn from_version(version: &Version) -> Option<Self> {
        serde_json::from_str(&version.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(before: Option<&WriteLog>) -> WriteLog {
        let records = [(StorageKey::from_backend("events/1.json".to_owned()), Bytes::from_static(b"{}\n\xff"))];
        WriteLog::after(before, WriteId::random(), Timestamp::from_millis(7), &records)
    }

    #[test]
    fn an_object_is_split_as_it_was_joined() {
        let log = log(None);
        for content in [&b""[..], b"{}", b"two\nlines\n"] {
            let content = Bytes::from_static(content);
            let body = log.attach(&content);
            let stored = StoredObject::parse("x", "e".to_owned(), &body, Some(content.len())).unwrap();
            assert_eq!((stored.content, stored.version.log), (content, Some(log.clone())));
        }
        let plain = StoredObject::parse("x", "e".to_owned(), &Bytes::from_static(b"plain"), None).unwrap();
        assert_eq!((&plain.content[..], plain.version.log), (&b"plain"[..], None));
        for length in [5, 99, usize::MAX] {
            assert!(StoredObject::parse("x", String::new(), &Bytes::from_static(b"plain"), Some(length)).is_err());
        }
    }

    #[test]
    fn a_version_survives_encoding_and_decoding() {
        let version = ObjectVersion { etag: "\"e\"".to_owned(), log: Some(log(None)) };
        assert_eq!(ObjectVersion::from_version(&version.to_version()), Some(version.clone()));
        assert_eq!(version.log.unwrap().records().unwrap()[0].1, &b"{}\n\xff"[..]);
        assert_eq!(ObjectVersion::from_version(&Version("17".to_owned())), None);
    }

    #[test]
    fn the_latest_writes_are_remembered() {
        let first = log(None);
        let id = first.last().unwrap().clone();
        let mut latest = first;
        for _ in 1..MAX_WRITES {
            latest = log(Some(&latest));
        }
        assert_eq!((latest.seq, latest.contains(&id, 1)), (64, Some(true)));
        latest = log(Some(&latest));
        assert_eq!((latest.writes.len(), latest.contains(&id, 1)), (MAX_WRITES, None));
        assert_eq!(latest.contains(&WriteId::random(), 2), Some(false));
    }
}
