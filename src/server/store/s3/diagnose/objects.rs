//! Checks of requests for objects: whole objects, multipart uploads and conditional writes.

use super::{CONTENT, REPLACEMENT, Scratch, or_problem, problem};
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::actions::{ABORT, GET, LIST, LIST_PARTS, LIST_UPLOADS, PUT};
use crate::server::store::s3::bucket::{Bucket, UNMATCHED_ETAG, WriteCondition};
use crate::server::store::s3::error::PutError;

/// Hint for a server without conditional writes.
const CONDITION_HINT: &str =
    "use an S3 server that supports conditional writes: otherwise two servers could both grant the last download";

/// Writes the object that the other checks use. If the write fails, only this finding is reported.
pub(super) async fn objects(scratch: &Scratch) -> Vec<Finding> {
    match put(scratch).await {
        Ok(put) => vec![put, get(scratch).await, head(scratch).await, list(scratch).await, absent(scratch).await],
        Err(failed) => vec![failed],
    }
}

async fn put(scratch: &Scratch) -> Result<Finding, Finding> {
    const NAME: &str = "put";
    let failed = |error: &StoreError| problem(NAME, PUT, error);
    match scratch.bucket.put(&scratch.object, CONTENT, None, &WriteCondition::IfAbsent).await {
        Ok(_) => Ok(Finding::ok(NAME, format!("wrote {}", scratch.bucket.object_key(&scratch.object)))),
        Err(PutError::UnknownOutcome(error)) => Err(failed(&error)),
        Err(PutError::ConditionFailed) => Err(failed(&StoreError::Conflict)),
    }
}

async fn get(scratch: &Scratch) -> Finding {
    const NAME: &str = "get";
    match scratch.bucket.read(&scratch.object).await {
        Ok(Some(object)) if object.body == CONTENT => Finding::ok(NAME, "the object was read"),
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
        let object = bucket.read(&scratch.absent).await?;
        Ok::<_, StoreError>(object.is_some() || bucket.length(&scratch.absent).await?.is_some())
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

/// Checks multipart uploads in three steps. Completes one upload, then tries to replace its object with a second one,
/// then aborts a third one.
pub(super) async fn multipart_uploads(scratch: &Scratch) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Later steps depend on the failed one and are skipped.
    if let Err(failed) = complete(scratch, &mut findings).await {
        findings.push(failed);
        return findings;
    }
    findings.push(never_overwrites(scratch).await);
    findings.push(abort(scratch).await);
    findings
}

async fn complete(scratch: &Scratch, findings: &mut Vec<Finding>) -> Result<(), Finding> {
    let (bucket, key) = (&scratch.bucket, &scratch.multipart);
    let upload = or_problem("multipart_create", PUT, bucket.start_multipart(key).await)?;
    findings.push(Finding::ok("multipart_create", "a multipart upload was started"));

    let etag = or_problem("multipart_put_part", PUT, bucket.put_part(key, &upload, 1, CONTENT).await)?;
    findings.push(Finding::ok("multipart_put_part", "a part was uploaded"));

    let uploads = or_problem("multipart_list", LIST_UPLOADS, bucket.unfinished_uploads(key).await)?;
    findings.push(reported("multipart_list", uploads.contains(&upload), "unfinished uploads are listed"));

    let parts = or_problem("multipart_list_parts", LIST_PARTS, bucket.parts(key, &upload).await)?;
    let listed = parts.iter().any(|part| part.number == 1 && part.size == CONTENT.len() as u64);
    findings.push(reported("multipart_list_parts", listed, "uploaded parts are listed"));

    or_problem("multipart_complete", PUT, bucket.complete_multipart(key, &upload, [(1, etag)].into_iter()).await)?;
    let object = or_problem("multipart_complete", PUT, bucket.read(key).await)?;
    if object.is_some_and(|object| object.body == CONTENT) {
        findings.push(Finding::ok("multipart_complete", "a multipart upload was completed"));
        return Ok(());
    }
    let hint = "use a server with consistent responses";
    Err(Finding::problem("multipart_complete", "the completed object differs from its parts", hint))
}

/// Checks that `CompleteMultipartUpload` with `If-None-Match: *` does not replace an existing object.
async fn never_overwrites(scratch: &Scratch) -> Finding {
    const NAME: &str = "multipart_if_none_match";
    let (bucket, key) = (&scratch.bucket, &scratch.multipart);
    let tried = async {
        let upload = bucket.start_multipart(key).await?;
        let etag = bucket.put_part(key, &upload, 1, REPLACEMENT).await?;
        bucket.complete_multipart(key, &upload, [(1, etag)].into_iter()).await?;
        bucket.abort_multipart(key, &upload).await?;
        bucket.read(key).await
    };
    match tried.await {
        Ok(Some(object)) if object.body == CONTENT => Finding::ok(NAME, "an existing object is not overwritten"),
        Ok(_) => Finding::problem(
            NAME,
            "this server ignores If-None-Match: * on CompleteMultipartUpload",
            "use a server that supports it: otherwise a presigned URL can replace a complete payload",
        ),
        Err(error) => problem(NAME, PUT, &error),
    }
}

async fn abort(scratch: &Scratch) -> Finding {
    const NAME: &str = "multipart_abort";
    let (bucket, key) = (&scratch.bucket, &scratch.multipart);
    let begun = async {
        let upload = bucket.start_multipart(key).await?;
        bucket.put_part(key, &upload, 1, REPLACEMENT).await?;
        Ok::<_, StoreError>(upload)
    };
    let aborted = async {
        let upload = begun.await?;
        bucket.abort_multipart(key, &upload).await?;
        Ok::<_, StoreError>(!bucket.unfinished_uploads(key).await?.contains(&upload))
    };
    match aborted.await {
        Ok(is_removed) => reported(NAME, is_removed, "a multipart upload was aborted"),
        Err(error) => problem(NAME, ABORT, &error),
    }
}

fn reported(name: &'static str, correct: bool, detail: &str) -> Finding {
    if correct {
        return Finding::ok(name, detail);
    }
    Finding::problem(name, "the server reports multipart uploads incorrectly", "use a server with consistent responses")
}

/// Checks `If-None-Match` and `If-Match` on writes to an existing object.
pub(super) async fn conditional_writes(scratch: &Scratch) -> [Finding; 2] {
    [if_none_match(scratch).await, if_match(scratch).await]
}

async fn if_none_match(scratch: &Scratch) -> Finding {
    const NAME: &str = "put_if_none_match";
    match scratch.bucket.put(&scratch.object, REPLACEMENT, None, &WriteCondition::IfAbsent).await {
        Err(PutError::ConditionFailed) => Finding::ok(NAME, "an existing object is not overwritten"),
        Ok(_) => Finding::problem(NAME, "this server ignores If-None-Match: * on writes", CONDITION_HINT),
        Err(PutError::UnknownOutcome(error)) => problem(NAME, PUT, &error),
    }
}

async fn if_match(scratch: &Scratch) -> Finding {
    const NAME: &str = "put_if_match";
    let other = WriteCondition::IfMatch(UNMATCHED_ETAG.to_owned());
    match scratch.bucket.put(&scratch.object, REPLACEMENT, None, &other).await {
        Err(PutError::ConditionFailed) => {}
        Ok(_) => return Finding::problem(NAME, "this server ignores If-Match on writes", CONDITION_HINT),
        Err(PutError::UnknownOutcome(error)) => return problem(NAME, PUT, &error),
    }
    match replaces_unchanged(scratch).await {
        Ok(true) => Finding::ok(NAME, "an object is overwritten only if it is unchanged"),
        Ok(false) => Finding::problem(NAME, "this server rejects a write whose condition holds", CONDITION_HINT),
        Err(error) => problem(NAME, PUT, &error),
    }
}

/// Returns whether a write with the object's current entity tag succeeds.
async fn replaces_unchanged(scratch: &Scratch) -> Result<bool, StoreError> {
    let Some(object) = scratch.bucket.read(&scratch.object).await? else { return Ok(false) };
    match scratch.bucket.put(&scratch.object, CONTENT, None, &WriteCondition::IfMatch(object.etag)).await {
        Ok(_) => Ok(true),
        Err(PutError::ConditionFailed) => Ok(false),
        Err(PutError::UnknownOutcome(error)) => Err(error),
    }
}
