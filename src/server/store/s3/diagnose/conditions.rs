//! Checks of conditional writes: without them two servers could both count the last download.

use super::failure::problem;
use super::scratch::{CONTENT, OTHER, Scratch};
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::actions::PUT;
use crate::server::store::s3::bucket::{NO_ETAG, WriteCondition};
use crate::server::store::s3::error::PutError;

const HINT: &str =
    "use an S3 server that supports conditional writes: otherwise two servers could both grant the last download";

/// Checks `If-None-Match` and `If-Match` on writes to an existing object.
pub(super) async fn examine(scratch: &Scratch) -> [Finding; 2] {
    [if_none_match(scratch).await, if_match(scratch).await]
}

async fn if_none_match(scratch: &Scratch) -> Finding {
    const NAME: &str = "put_if_none_match";
    match scratch.bucket.put(&scratch.object, OTHER, None, &WriteCondition::IfAbsent).await {
        Err(PutError::ConditionFailed) => Finding::ok(NAME, "an existing object is not overwritten"),
        Ok(_) => Finding::problem(NAME, "this server ignores If-None-Match: * on writes", HINT),
        Err(PutError::UnknownOutcome(error)) => problem(NAME, PUT, &error),
    }
}

async fn if_match(scratch: &Scratch) -> Finding {
    const NAME: &str = "put_if_match";
    let other = WriteCondition::IfMatch(NO_ETAG.to_owned());
    match scratch.bucket.put(&scratch.object, OTHER, None, &other).await {
        Err(PutError::ConditionFailed) => {}
        Ok(_) => return Finding::problem(NAME, "this server ignores If-Match on writes", HINT),
        Err(PutError::UnknownOutcome(error)) => return problem(NAME, PUT, &error),
    }
    match replaces_unchanged(scratch).await {
        Ok(true) => Finding::ok(NAME, "an object is overwritten only if it is unchanged"),
        Ok(false) => Finding::problem(NAME, "this server rejects a write whose condition holds", HINT),
        Err(error) => problem(NAME, PUT, &error),
    }
}

/// Returns whether a write with the object's current entity tag succeeds.
async fn replaces_unchanged(scratch: &Scratch) -> Result<bool, StoreError> {
    let Some(read) = scratch.bucket.read(&scratch.object).await? else { return Ok(false) };
    match scratch.bucket.put(&scratch.object, CONTENT, None, &WriteCondition::IfMatch(read.etag)).await {
        Ok(_) => Ok(true),
        Err(PutError::ConditionFailed) => Ok(false),
        Err(PutError::UnknownOutcome(error)) => Err(error),
    }
}
