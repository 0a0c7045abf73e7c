//! Checks of multipart uploads.

use super::failure::{problem, require};
use super::scratch::{CONTENT, OTHER, Scratch};
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::actions::{ABORT, LIST_PARTS, LIST_UPLOADS, PUT};

/// Completes a multipart upload, then tries to replace its object with a second one, then aborts a third one.
pub(super) async fn examine(scratch: &Scratch) -> Vec<Finding> {
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
    let (bucket, key) = (&scratch.bucket, &scratch.joined);
    let upload = require("multipart_create", PUT, bucket.start_multipart(key).await)?;
    findings.push(Finding::ok("multipart_create", "a multipart upload was started"));

    let etag = require("multipart_put_part", PUT, bucket.put_part(key, &upload, 1, CONTENT).await)?;
    findings.push(Finding::ok("multipart_put_part", "a part was uploaded"));

    let uploads = require("multipart_list", LIST_UPLOADS, bucket.unfinished_uploads(key).await)?;
    findings.push(reported("multipart_list", uploads.contains(&upload), "unfinished uploads are listed"));

    let parts = require("multipart_list_parts", LIST_PARTS, bucket.parts(key, &upload).await)?;
    let listed = parts.iter().any(|part| part.number == 1 && part.size == CONTENT.len() as u64);
    findings.push(reported("multipart_list_parts", listed, "uploaded parts are listed"));

    require("multipart_complete", PUT, bucket.complete_multipart(key, &upload, [(1, etag)].into_iter()).await)?;
    let read = require("multipart_complete", PUT, bucket.read(key).await)?;
    if read.is_some_and(|read| read.body == CONTENT) {
        findings.push(Finding::ok("multipart_complete", "a multipart upload was completed"));
        return Ok(());
    }
    let hint = "use a server with consistent responses";
    Err(Finding::problem("multipart_complete", "the completed object differs from its parts", hint))
}

/// Checks that `CompleteMultipartUpload` with `If-None-Match: *` does not replace an existing object.
async fn never_overwrites(scratch: &Scratch) -> Finding {
    const NAME: &str = "multipart_if_none_match";
    let (bucket, key) = (&scratch.bucket, &scratch.joined);
    let tried = async {
        let upload = bucket.start_multipart(key).await?;
        let etag = bucket.put_part(key, &upload, 1, OTHER).await?;
        bucket.complete_multipart(key, &upload, [(1, etag)].into_iter()).await?;
        bucket.abort_multipart(key, &upload).await?;
        bucket.read(key).await
    };
    match tried.await {
        Ok(Some(read)) if read.body == CONTENT => Finding::ok(NAME, "an existing object is not overwritten"),
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
    let (bucket, key) = (&scratch.bucket, &scratch.joined);
    let begun = async {
        let upload = bucket.start_multipart(key).await?;
        bucket.put_part(key, &upload, 1, OTHER).await?;
        Ok::<_, StoreError>(upload)
    };
    let aborted = async {
        let upload = begun.await?;
        bucket.abort_multipart(key, &upload).await?;
        Ok::<_, StoreError>(!bucket.unfinished_uploads(key).await?.contains(&upload))
    };
    match aborted.await {
        Ok(gone) => reported(NAME, gone, "a multipart upload was aborted"),
        Err(error) => problem(NAME, ABORT, &error),
    }
}

fn reported(name: &'static str, correct: bool, detail: &str) -> Finding {
    if correct {
        return Finding::ok(name, detail);
    }
    Finding::problem(name, "the server reports multipart uploads incorrectly", "use a server with consistent responses")
}
