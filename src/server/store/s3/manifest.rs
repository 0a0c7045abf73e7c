//! What has arrived of a payload that does not come in one request to the bucket: `upload.json` beside it.
//!
//! It is there from the first byte through the service, or the first URL of a part, until the payload is removed.
//! Whoever writes, finishes or removes a payload goes by it: it changes by compare-and-swap, so the one who comes late
//! finds out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::S3Store;
use super::bucket::ListedPart;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::id::TransferId;
use crate::domain::store::{
    Change, Commit, Condition, Records, StorageKey, StoreError, Version, Versioned, read, to_json,
};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// How long a holder may be silent before another takes its place.
const HOLD_FOR: Duration = Duration::from_secs(30);

/// `transfers/{transfer_id}/upload.json`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arriving {
    v: V1,
    /// The multipart upload that clients send parts of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) presigned: Option<String>,
    /// What has come through the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) poured: Option<Poured>,
    /// How long the payload is, once it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) whole: Option<u64>,
    /// Who is at work on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) holder: Option<Holder>,
}

/// Bytes that came through the service, as far as they survive it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Poured {
    /// The multipart upload that they lie in, once there are enough for a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<String>,
    /// Its parts, in order. What else lies in it does not count.
    pub(super) parts: Vec<PouredPart>,
    /// The number of the next part. A writer that took another's place leaves out the one that may still arrive.
    pub(super) next: u32,
    /// Bytes after the last part, too few for one: the object that holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Tail>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PouredPart {
    pub(super) number: u32,
    pub(super) etag: String,
    pub(super) size: u64,
}

/// `transfers/{transfer_id}/upload/{name}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) name: String,
    pub(super) size: u64,
}

/// Who is at work on a payload, and until when nobody else may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) until: Timestamp,
    /// Whether it puts the payload together. That can be done twice; writing cannot.
    pub(super) finishes: bool,
}

impl Poured {
    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|part| part.size).sum();
        parts + self.tail.as_ref().map_or(0, |tail| tail.size)
    }
}

impl Holder {
    /// Someone who is at work from now on.
    pub(super) fn new(finishes: bool) -> Self {
        Self { until: SystemClock.now().plus(HOLD_FOR), finishes }
    }

    /// Whether it has not been silent for too long.
    pub(super) fn is_live(&self) -> bool {
        self.until > SystemClock.now()
    }
}

impl Arriving {
    /// Of a payload that is whole.
    pub(super) fn whole(length: u64) -> Self {
        Self { whole: Some(length), ..Self::default() }
    }

    /// Whether someone is at work on it.
    pub(super) fn is_held(&self) -> bool {
        self.holder.as_ref().is_some_and(Holder::is_live)
    }

    /// Whether someone writes to it.
    pub(super) fn is_written(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.is_live() && !holder.finishes)
    }
}

impl S3Store {
    /// Reads what has arrived of a payload; `None` where nothing has, or it came whole to the bucket.
    pub(super) async fn arriving(&self, id: TransferId) -> Result<Option<Versioned<Arriving>>, StoreError> {
        read(self, &StorageKey::payload_arriving(id)).await
    }

    /// Replaces it, as it was read.
    pub(super) async fn set_arriving(
        &self,
        id: TransferId,
        condition: Condition,
        value: &Arriving,
    ) -> Result<Version, StoreError> {
        let change = Change { key: StorageKey::payload_arriving(id), condition, value: to_json(value) };
        let version = self.commit(Commit::of(change)).await?;
        Ok(version.expect("a commit with a change answers its version"))
    }

    /// The parts that clients have sent themselves.
    pub(super) async fn presigned_parts(&self, id: TransferId, upload: &str) -> Result<Vec<ListedPart>, StoreError> {
        self.bucket().parts(&StorageKey::payload(id), upload).await
    }
}
