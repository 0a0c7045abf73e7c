//! Checks of writing, reading, measuring and listing objects, and of the response for a missing object.

use super::failure::problem;
use super::scratch::{CONTENT, Scratch};
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::actions::{GET, LIST, PUT};
use crate::server::store::s3::bucket::{Bucket, WriteCondition};
use crate::server::store::s3::error::PutError;

/// Writes the object that the other checks use. If the write fails, its finding is the only one.
pub(super) async fn examine(scratch: &Scratch) -> Vec<Finding> {
    match put(scratch).await {
        Ok(put) => vec![put, get(scratch).await, head(scratch).await, list(scratch).await, absent(scratch).await],
        Err(failed) => vec![failed],
    }
}

async fn put(scratch: &Scratch) -> Result<Finding, Finding> {
    const NAME: &str = "put";
    let failed = |error: &StoreError| problem(NAME, PUT, error);
    match scratch.bucket.put(&scratch.object, CONTENT, None, &WriteCondition::IfAbsent).await {
        Ok(_) => Ok(Finding::ok(NAME, format!("wrote {}", scratch.bucket.object(&scratch.object)))),
        Err(PutError::UnknownOutcome(error)) => Err(failed(&error)),
        Err(PutError::ConditionFailed) => Err(failed(&StoreError::Conflict)),
    }
}

async fn get(scratch: &Scratch) -> Finding {
    const NAME: &str = "get";
    match scratch.bucket.read(&scratch.object).await {
        Ok(Some(read)) if read.body == CONTENT => Finding::ok(NAME, "the object was read"),
        Ok(_) => inconsistent(NAME, "the object read differs from the object written"),
        Err(error) => problem(NAME, GET, &error),
    }
}

async fn head(scratch: &Scratch) -> Finding {
    const NAME: &str = "head";
    match scratch.bucket.length(&scratch.object).await {
        Ok(Some(length)) if length == CONTENT.len() as u64 => Finding::ok(NAME, format!("{length} bytes")),
        Ok(_) => inconsistent(NAME, "the server reports a wrong object length"),
        Err(error) => problem(NAME, GET, &error),
    }
}

async fn list(scratch: &Scratch) -> Finding {
    const NAME: &str = "list";
    match scratch.bucket.keys(scratch.object.as_str(), None, 2).await {
        Ok(keys) if keys == [scratch.object.clone()] => Finding::ok(NAME, "the object is listed"),
        Ok(_) => inconsistent(NAME, "the object is not listed"),
        Err(error) => problem(NAME, LIST, &error),
    }
}

/// Checks the response for a missing object. Without permission to list, AWS responds 403 instead of 404.
async fn absent(scratch: &Scratch) -> Finding {
    const NAME: &str = "absent";
    let exists = async |bucket: &Bucket| {
        let read = bucket.read(&scratch.absent).await?;
        Ok::<_, StoreError>(read.is_some() || bucket.length(&scratch.absent).await?.is_some())
    };
    match exists(&scratch.bucket).await {
        Ok(false) => Finding::ok(NAME, "missing objects are reported as missing"),
        Ok(true) => inconsistent(NAME, "the server reports an object that was never written"),
        // Without permission to list, AWS does not reveal that an object is missing.
        Err(error) => problem(NAME, LIST, &error),
    }
}

/// Reports a server with wrong responses.
fn inconsistent(name: &'static str, detail: &str) -> Finding {
    Finding::problem(name, detail, "use a server with consistent responses")
}
