//! Probe for conditional writes: without them two servers could both count the last download.

use super::bucket::{Bucket, UNMATCHED_ETAG, WriteCondition};
use super::error::PutError;
use crate::domain::store::{StorageKey, StoreError};

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
