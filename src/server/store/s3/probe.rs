//! Probes of a bucket: whether it has space, and whether it honours conditions of writes.
//!
//! Without conditional writes, two servers could both count the last download.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::bucket::{Bucket, UNMATCHED_ETAG, WriteCondition};
use super::error::PutError;
use crate::domain::store::{StorageKey, StoreError};

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
