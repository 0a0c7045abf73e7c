//! Probes of a bucket: whether it has space, takes payloads, and honours conditions of writes.
//!
//! Without conditional writes, two servers could both count the last download.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::bucket::{Bucket, UNMATCHED_ETAG, WriteCondition};
use super::error::PutError;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::id::RecordIds;
use crate::domain::store::{PayloadProbeError, StorageKey, StoreError};

/// Minimum interval between two probes for space.
const SPACE_INTERVAL: Duration = Duration::from_secs(1);

/// Limits the probes for space, which anybody may ask for.
#[derive(Debug, Default)]
pub(super) struct ProbeInterval(Mutex<Option<Instant>>);

impl ProbeInterval {
    /// Returns whether a probe is due, and notes it.
    pub(super) fn is_due(&self) -> bool {
        let mut last = self.0.lock().expect("no thread panics while holding the lock");
        let is_due = last.is_none_or(|last| last.elapsed() >= SPACE_INTERVAL);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

/// Rewrites the object at `key` unchanged, which tells whether a full bucket has space again.
pub(super) async fn try_write(bucket: &Bucket, key: &StorageKey) -> Result<(), StoreError> {
    let Some(found) = bucket.read(key).await? else { return Ok(()) };
    match bucket.put(key, found.body, found.content_length, &WriteCondition::IfMatch(found.etag)).await {
        // Another server has tried at the same time.
        Ok(_) | Err(PutError::ConditionFailed) => Ok(()),
        Err(PutError::UnknownOutcome(error)) => Err(error),
    }
}

/// Writes an object, reads it back by range as a download does, and removes it.
pub(super) async fn probe_payloads(bucket: &Bucket) -> Result<(), PayloadProbeError> {
    const CONTENT: Bytes = Bytes::from_static(b"{}");
    let key = StorageKey::probe(&RecordIds::default().next(SystemClock.now()));
    match bucket.put(&key, CONTENT, None, &WriteCondition::Unconditional).await {
        Ok(_) => {}
        Err(PutError::UnknownOutcome(error)) => return Err(PayloadProbeError::Write(error)),
        Err(PutError::ConditionFailed) => {
            return Err(PayloadProbeError::Write(StoreError::unavailable("the probe object was not found")));
        }
    }
    let read = read_back(bucket, &key, &CONTENT).await;
    bucket.remove(&[key]).await.map_err(PayloadProbeError::Write)?;
    read.map_err(PayloadProbeError::Read)
}

async fn read_back(bucket: &Bucket, key: &StorageKey, content: &Bytes) -> Result<(), StoreError> {
    let found = bucket.open(key, 0..content.len() as u64).await?;
    let missing = || StoreError::unavailable("the object that was just written is missing");
    let read = found.ok_or_else(missing)?.body.collect().await.map_err(StoreError::unavailable)?.into_bytes();
    if read == content {
        Ok(())
    } else {
        Err(StoreError::unavailable("the bucket returned other bytes than were written"))
    }
}

/// Rewrites the object at `key` unchanged under two conditions that do not hold.
///
/// # Errors
/// [`StoreError::Unusable`] if the server accepts either of the two writes.
pub(super) async fn check_conditional_writes(bucket: &Bucket, key: &StorageKey) -> Result<(), StoreError> {
    let missing = || StoreError::unavailable("the probe object is missing");
    let found = bucket.read(key).await?.ok_or_else(missing)?;
    let other = WriteCondition::IfMatch(UNMATCHED_ETAG.to_owned());
    for (condition, header) in [(WriteCondition::IfAbsent, "If-None-Match: *"), (other, "If-Match")] {
        match bucket.put(key, found.body.clone(), found.content_length, &condition).await {
            Err(PutError::ConditionFailed) => {}
            Err(PutError::UnknownOutcome(error)) => return Err(error),
            Ok(_) => {
                return Err(StoreError::Unusable(format!(
                    "this S3 server ignores {header} on writes: two servers could both grant the last download"
                )));
            }
        }
    }
    Ok(())
}
