//! Whether objects can be put together from parts.

use super::refusal::{needed, problem};
use super::scratch::{CONTENT, OTHER, Scratch};
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::actions::{ABORT, LIST_PARTS, LIST_UPLOADS, PUT};

/// Puts an object together, then tries to put another one in its place.
pub(super) async fn examine(scratch: &Scratch) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The rest of an upload that failed is not tried.
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
    let upload = needed("multipart_create", PUT, bucket.begin_parts(key).await)?;
    findings.push(Finding::ok("multipart_create", "an upload was begun"));

    let etag = needed("multipart_put_part", PUT, bucket.put_part(key, &upload, 1, CONTENT).await)?;
    findings.push(Finding::ok("multipart_put_part", "a part was stored"));

    let uploads = needed("multipart_list", LIST_UPLOADS, bucket.open_uploads(key).await)?;
    findings.push(told("multipart_list", uploads.contains(&upload), "uploads that are not ended"));

    let parts = needed("multipart_list_parts", LIST_PARTS, bucket.parts(key, &upload).await)?;
    let listed = parts.iter().any(|part| part.number == 1 && part.size == CONTENT.len() as u64);
    findings.push(told("multipart_list_parts", listed, "parts that have arrived"));

    needed("multipart_complete", PUT, bucket.join_parts(key, &upload, [(1, etag)].into_iter()).await)?;
    let read = needed("multipart_complete", PUT, bucket.read(key).await)?;
    if read.is_some_and(|read| read.body == CONTENT) {
        findings.push(Finding::ok("multipart_complete", "an object was put together"));
        return Ok(());
    }
    let hint = "use a server whose answers say what is there";
    Err(Finding::problem("multipart_complete", "the object is not what it was put together from", hint))
}

/// `CompleteMultipartUpload` with `If-None-Match: *`, where the object is there already.
async fn never_overwrites(scratch: &Scratch) -> Finding {
    const NAME: &str = "multipart_if_none_match";
    let (bucket, key) = (&scratch.bucket, &scratch.joined);
    let tried = async {
        let upload = bucket.begin_parts(key).await?;
        let etag = bucket.put_part(key, &upload, 1, OTHER).await?;
        bucket.join_parts(key, &upload, [(1, etag)].into_iter()).await?;
        bucket.abort_parts(key, &upload).await?;
        bucket.read(key).await
    };
    match tried.await {
        Ok(Some(read)) if read.body == CONTENT => Finding::ok(NAME, "an object is never put together over another"),
        Ok(_) => Finding::problem(
            NAME,
            "this server does not honour If-None-Match: * on CompleteMultipartUpload",
            "use a server that does: otherwise a URL that still lives can replace a payload that is complete",
        ),
        Err(error) => problem(NAME, PUT, &error),
    }
}

async fn abort(scratch: &Scratch) -> Finding {
    const NAME: &str = "multipart_abort";
    let (bucket, key) = (&scratch.bucket, &scratch.joined);
    let begun = async {
        let upload = bucket.begin_parts(key).await?;
        bucket.put_part(key, &upload, 1, OTHER).await?;
        Ok::<_, StoreError>(upload)
    };
    let aborted = async {
        let upload = begun.await?;
        bucket.abort_parts(key, &upload).await?;
        Ok::<_, StoreError>(!bucket.open_uploads(key).await?.contains(&upload))
    };
    match aborted.await {
        Ok(gone) => told(NAME, gone, "an upload was taken back"),
        Err(error) => problem(NAME, ABORT, &error),
    }
}

fn told(name: &'static str, is: bool, what: &str) -> Finding {
    if is {
        return Finding::ok(name, what);
    }
    Finding::problem(name, "what is told of uploads is not so", "use a server whose answers say what is there")
}
