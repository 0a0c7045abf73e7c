//! Whether objects can be put, read, measured, listed and missed.

use super::refusal::problem;
use super::scratch::{CONTENT, Scratch};
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::actions::{GET, LIST, PUT};
use crate::server::store::s3::bucket::{Bucket, Only, PutError};

/// Puts the object that the other checks look at. Where that fails, it is the only finding.
pub(super) async fn examine(scratch: &Scratch) -> Vec<Finding> {
    match put(scratch).await {
        Ok(put) => vec![put, get(scratch).await, head(scratch).await, list(scratch).await, absent(scratch).await],
        Err(refused) => vec![refused],
    }
}

async fn put(scratch: &Scratch) -> Result<Finding, Finding> {
    const NAME: &str = "put";
    let refused = |error: &StoreError| problem(NAME, PUT, error);
    match scratch.bucket.put(&scratch.object, CONTENT, None, &Only::IfAbsent).await {
        Ok(_) => Ok(Finding::ok(NAME, format!("to {}", scratch.bucket.object(&scratch.object)))),
        Err(PutError::Unclear(error)) => Err(refused(&error)),
        Err(PutError::Refused) => Err(refused(&StoreError::Conflict)),
    }
}

async fn get(scratch: &Scratch) -> Finding {
    const NAME: &str = "get";
    match scratch.bucket.read(&scratch.object).await {
        Ok(Some(read)) if read.body == CONTENT => Finding::ok(NAME, "what was put"),
        Ok(_) => lies(NAME, "what was put is not what is read"),
        Err(error) => problem(NAME, GET, &error),
    }
}

async fn head(scratch: &Scratch) -> Finding {
    const NAME: &str = "head";
    match scratch.bucket.length(&scratch.object).await {
        Ok(Some(length)) if length == CONTENT.len() as u64 => Finding::ok(NAME, format!("{length} bytes")),
        Ok(_) => lies(NAME, "an object's length is not told"),
        Err(error) => problem(NAME, GET, &error),
    }
}

async fn list(scratch: &Scratch) -> Finding {
    const NAME: &str = "list";
    match scratch.bucket.keys(scratch.object.as_str(), None, 2).await {
        Ok(keys) if keys == [scratch.object.clone()] => Finding::ok(NAME, "what was put"),
        Ok(_) => lies(NAME, "what was put is not listed"),
        Err(error) => problem(NAME, LIST, &error),
    }
}

/// Nobody may list: then AWS refuses to tell that an object is not there.
async fn absent(scratch: &Scratch) -> Finding {
    const NAME: &str = "absent";
    let ask = async |bucket: &Bucket| {
        let read = bucket.read(&scratch.absent).await?;
        Ok::<_, StoreError>(read.is_some() || bucket.length(&scratch.absent).await?.is_some())
    };
    match ask(&scratch.bucket).await {
        Ok(false) => Finding::ok(NAME, "objects that are not there are told as missing"),
        Ok(true) => lies(NAME, "an object is there that nobody has put"),
        // AWS refuses to say so to whoever may not list.
        Err(error) => problem(NAME, LIST, &error),
    }
}

/// A server that must not be used.
fn lies(name: &'static str, detail: &str) -> Finding {
    Finding::problem(name, detail, "use a server whose answers say what is there")
}
