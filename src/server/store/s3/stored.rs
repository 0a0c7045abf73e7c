//! An object as it lies in the bucket: its content, and behind it what the store keeps of its latest write.
//!
//! The content is the object's first bytes, as many as its metadata say; then comes a line of JSON, the [`WriteLog`].
//! Objects that are written once and never changed are content alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::domain::crypto::random;
use crate::domain::store::{StorageKey, StoreError, Version, from_json, to_json};
use crate::domain::timestamp::Timestamp;

/// The metadata that tells where an object's content ends.
pub(super) const CONTENT_LENGTH: &str = "sgsend-content";

/// How many writes an object remembers.
const REMEMBERED: usize = 64;

/// Names one attempt to write an object, through all its repetitions: 64 random bits in hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct WriteId(String);

impl WriteId {
    pub(super) fn random() -> Self {
        Self(random::name())
    }
}

/// What an object remembers of how it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WriteLog {
    /// How often it was written.
    pub(super) seq: u64,
    /// The latest writes, the last one last: whoever lost an answer finds out whether its write was one of them.
    pub(super) writes: Vec<WriteId>,
    /// When it was last written.
    pub(super) at: Timestamp,
    /// The records of the last write, for whoever finds that its writer did not live to put them.
    pub(super) outbox: Vec<Pending>,
}

/// A record that is still to be put, or has been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    key: String,
    base64: String,
}

impl WriteLog {
    /// The trail of a write after the one that left `before`.
    pub(super) fn after(before: Option<&Self>, id: WriteId, at: Timestamp, records: &[(StorageKey, Bytes)]) -> Self {
        let mut writes = before.map(|before| before.writes.clone()).unwrap_or_default();
        writes.push(id);
        writes.drain(..writes.len().saturating_sub(REMEMBERED));
        let pending =
            |(key, value): &(StorageKey, Bytes)| Pending { key: key.to_string(), base64: STANDARD.encode(value) };
        Self {
            seq: before.map_or(0, |before| before.seq) + 1,
            writes,
            at,
            outbox: records.iter().map(pending).collect(),
        }
    }

    /// The write that left this trail.
    pub(super) fn last(&self) -> Option<&WriteId> {
        self.writes.last()
    }

    /// Whether this write is remembered; `None` where it may have been forgotten, if it was to be number `seq`.
    pub(super) fn remembers(&self, id: &WriteId, seq: u64) -> Option<bool> {
        if self.writes.contains(id) {
            return Some(true);
        }
        let forgotten = self.seq.saturating_sub(seq) >= REMEMBERED as u64;
        (!forgotten).then_some(false)
    }

    /// The records of the last write.
    pub(super) fn records(&self) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let record = |pending: &Pending| {
            let value = STANDARD.decode(&pending.base64).map_err(StoreError::unavailable)?;
            Ok((StorageKey::from_backend(pending.key.clone()), value.into()))
        };
        self.outbox.iter().map(record).collect()
    }

    /// The object's bytes: `content` with this behind it.
    pub(super) fn attach(&self, content: &Bytes) -> Bytes {
        [content, &b"\n"[..], &to_json(self)].concat().into()
    }
}

/// An object that was read.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) content: Bytes,
    pub(super) known: Known,
}

/// What a [`Version`] of this backend says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The entity tag: what the next write is conditional on.
    pub(super) etag: String,
    /// The object's trail; an object that is written once has none.
    pub(super) trail: Option<WriteLog>,
}

impl Stored {
    /// Takes an object apart whose content has `length` bytes; all of it is content where that is not said.
    pub(super) fn parse(key: &str, etag: String, body: &Bytes, length: Option<usize>) -> Result<Self, StoreError> {
        let Some(length) = length else {
            return Ok(Self { content: body.clone(), known: Known { etag, trail: None } });
        };
        let corrupt = || StoreError::unavailable(format!("{key} is shorter than its metadata say"));
        let trail = body.get(length.saturating_add(1)..).ok_or_else(corrupt)?;
        let known = Known { etag, trail: Some(from_json(key, trail)?) };
        Ok(Self { content: body.slice(..length), known })
    }
}

impl Known {
    /// The version that callers keep.
    pub(super) fn to_version(&self) -> Version {
        Version(serde_json::to_string(self).expect("texts and numbers are always JSON"))
    }

    /// Reads it back; `None` for a version that is not of this backend, which no object is in.
    pub(super) fn from_version(version: &Version) -> Option<Self> {
        serde_json::from_str(&version.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(before: Option<&WriteLog>) -> WriteLog {
        let records = [(StorageKey::from_backend("events/1.json".to_owned()), Bytes::from_static(b"{}\n\xff"))];
        WriteLog::after(before, WriteId::random(), Timestamp::from_millis(7), &records)
    }

    #[test]
    fn an_object_comes_apart_as_it_was_put_together() {
        let trail = trail(None);
        for content in [&b""[..], b"{}", b"two\nlines\n"] {
            let content = Bytes::from_static(content);
            let body = trail.attach(&content);
            let stored = Stored::parse("x", "e".to_owned(), &body, Some(content.len())).unwrap();
            assert_eq!((stored.content, stored.known.trail), (content, Some(trail.clone())));
        }
        let plain = Stored::parse("x", "e".to_owned(), &Bytes::from_static(b"plain"), None).unwrap();
        assert_eq!((&plain.content[..], plain.known.trail), (&b"plain"[..], None));
        for length in [5, 99, usize::MAX] {
            assert!(Stored::parse("x", String::new(), &Bytes::from_static(b"plain"), Some(length)).is_err());
        }
    }

    #[test]
    fn a_version_brings_everything_back() {
        let known = Known { etag: "\"e\"".to_owned(), trail: Some(trail(None)) };
        assert_eq!(Known::from_version(&known.to_version()), Some(known.clone()));
        assert_eq!(known.trail.unwrap().records().unwrap()[0].1, &b"{}\n\xff"[..]);
        assert_eq!(Known::from_version(&Version("17".to_owned())), None);
    }

    #[test]
    fn the_latest_writes_are_remembered() {
        let first = trail(None);
        let id = first.last().unwrap().clone();
        let mut latest = first;
        for _ in 1..REMEMBERED {
            latest = trail(Some(&latest));
        }
        assert_eq!((latest.seq, latest.remembers(&id, 1)), (64, Some(true)));
        latest = trail(Some(&latest));
        assert_eq!((latest.writes.len(), latest.remembers(&id, 1)), (REMEMBERED, None));
        assert_eq!(latest.remembers(&WriteId::random(), 2), Some(false));
    }
}
