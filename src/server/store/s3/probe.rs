//! The proof that a bucket honours conditions: without them two servers could both count the last download.

use super::bucket::{Bucket, NO_ETAG, Only, PutError};
use crate::domain::store::{StorageKey, StoreError};

/// Writes the object at `key` again, as it is, under two conditions that do not hold; both must be refused.
pub(super) async fn prove(bucket: &Bucket, key: &StorageKey) -> Result<(), StoreError> {
    let gone = || StoreError::unavailable("the object that was just read is gone");
    let found = bucket.read(key).await?.ok_or_else(gone)?;
    let other = Only::IfMatch(NO_ETAG.to_owned());
    for (only, header) in [(Only::IfAbsent, "If-None-Match: *"), (other, "If-Match")] {
        match bucket.put(key, found.body.clone(), found.content, &only).await {
            Err(PutError::Refused) => {}
            Err(PutError::Unclear(error)) => return Err(error),
            Ok(_) => {
                return Err(StoreError::Unfit(format!(
                    "this S3 server does not honour {header} on writes: two servers could both hand out the last download"
                )));
            }
        }
    }
    Ok(())
}
