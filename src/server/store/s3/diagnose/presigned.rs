//! Checks that presigned URLs allow what they were signed for, and nothing else.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::{CONTENT, REPLACEMENT, Scratch, describe_error};
use crate::domain::error::chain;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{SignedRequest, StorageKey, StoreError};
use crate::server::store::s3::bucket::Bucket;
use crate::server::store::s3::presigner::{sign_get, sign_put};

/// Lifetime of the presigned URLs.
const LIFETIME: Duration = Duration::from_mins(5);

/// Timeout of one request without credentials.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Hint for a server whose presigned URLs allow more than they were signed for.
const UNSAFE: &str = "use a server that verifies signatures: otherwise a URL allows more than it was signed for";
/// Hint for a publicly readable bucket.
const PUBLIC: &str = "make the bucket private and block public access, or use a server that requires signatures";
/// Hint for a server whose presigned URLs do not work.
const BROKEN: &str = "check region, endpoint, path style and any proxy in front of the S3 server";

/// Response to a request without credentials.
pub(super) struct PresignedResponse {
    pub(super) status: u16,
    pub(super) date: Option<String>,
    pub(super) body: Bytes,
}

/// Uses presigned URLs as clients do, and in ways that must be rejected.
pub(super) async fn presigned_urls(scratch: &Scratch) -> Vec<Finding> {
    let signed = match sign_put(&scratch.bucket, &scratch.presigned, CONTENT.len() as u64, LIFETIME).await {
        Ok(signed) => signed,
        Err(error) => return vec![Finding::problem("presigned_put", describe_error(&error), BROKEN)],
    };
    vec![
        put_tampered(&signed).await,
        put_longer(&signed).await,
        put(&signed).await,
        put_again(&signed).await,
        get(scratch).await,
        get_unsigned(scratch).await,
    ]
}

async fn put_tampered(signed: &SignedRequest) -> Finding {
    let mut tampered = signed.clone();
    tampered.url = signed.url.replace("X-Amz-Signature=", "X-Amz-Signature=0");
    rejected("presigned_put_tampered", send(&tampered, REPLACEMENT).await, "a URL with a modified signature", UNSAFE)
}

async fn put_longer(signed: &SignedRequest) -> Finding {
    let longer = [&REPLACEMENT[..], b"!"].concat().into();
    rejected("presigned_put_length", send(signed, longer).await, "a body with a length other than signed", UNSAFE)
}

async fn put(signed: &SignedRequest) -> Finding {
    const NAME: &str = "presigned_put";
    match send(signed, CONTENT).await {
        Ok(response) if response.is_success() => Finding::ok(NAME, "a client can upload a payload"),
        Ok(response) => Finding::problem(NAME, response.describe("to a correctly signed URL"), BROKEN),
        Err(error) => Finding::problem(NAME, describe_error(&error), BROKEN),
    }
}

/// Checks that a URL, still valid after its use, cannot replace the object that it has written.
async fn put_again(signed: &SignedRequest) -> Finding {
    const NAME: &str = "presigned_put_again";
    match send(signed, REPLACEMENT).await {
        Ok(response) if response.status == 412 => Finding::ok(NAME, "a URL writes once and overwrites no object"),
        Ok(response) if response.is_success() => Finding::problem(
            NAME,
            "this server ignores If-None-Match: * on presigned writes",
            "use a server that supports it: otherwise a presigned URL can replace a complete payload",
        ),
        Ok(response) => Finding::cannot_tell(NAME, response.describe("instead of 412"), BROKEN),
        Err(error) => Finding::cannot_tell(NAME, describe_error(&error), BROKEN),
    }
}

async fn get(scratch: &Scratch) -> Finding {
    const NAME: &str = "presigned_get";
    let downloaded = async {
        let expected = scratch.bucket.read(&scratch.object).await?.map(|read| read.body);
        let response = send(&sign_get(&scratch.bucket, &scratch.object, LIFETIME).await?, Bytes::new()).await?;
        Ok::<_, StoreError>((expected, response))
    };
    match downloaded.await {
        Ok((Some(expected), response)) if response.is_success() && response.body == expected => {
            Finding::ok(NAME, "a client can download a payload")
        }
        Ok((_, response)) => Finding::problem(NAME, response.describe("to a correctly signed URL"), BROKEN),
        Err(error) => Finding::problem(NAME, describe_error(&error), BROKEN),
    }
}

async fn get_unsigned(scratch: &Scratch) -> Finding {
    let response = async { send_without_credentials(unsigned_get(&scratch.bucket, &scratch.object).await?).await };
    rejected("anonymous_get", response.await, "a request without a signature", PUBLIC)
}

/// Checks that the server rejected a request; `hint` is the fix if the request was accepted.
fn rejected(name: &'static str, outcome: Result<PresignedResponse, StoreError>, request: &str, hint: &str) -> Finding {
    match outcome {
        Ok(response) if matches!(response.status, 401 | 403) => Finding::ok(name, format!("{request} is rejected")),
        Ok(response) if response.is_success() => Finding::problem(name, format!("{request} is accepted"), hint),
        Ok(response) => Finding::cannot_tell(name, response.describe(&format!("to {request}")), BROKEN),
        Err(error) => Finding::cannot_tell(name, describe_error(&error), BROKEN),
    }
}

/// Creates an unsigned request for an object.
pub(super) async fn unsigned_get(bucket: &Bucket, key: &StorageKey) -> Result<Request<Bytes>, StoreError> {
    let mut signed = sign_get(bucket, key, LIFETIME).await?;
    signed.url.truncate(signed.url.find('?').unwrap_or(signed.url.len()));
    request(&signed, Bytes::new())
}

async fn send(signed: &SignedRequest, body: Bytes) -> Result<PresignedResponse, StoreError> {
    send_without_credentials(request(signed, body)?).await
}

fn request(signed: &SignedRequest, body: Bytes) -> Result<Request<Bytes>, StoreError> {
    let mut request = Request::builder().method(signed.method.as_str()).uri(&signed.url);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.body(body).map_err(StoreError::unavailable)
}

/// Sends a request without credentials, as the holder of a URL does.
pub(super) async fn send_without_credentials(request: http::Request<Bytes>) -> Result<PresignedResponse, StoreError> {
    let failed = |error: reqwest::Error| StoreError::unavailable(chain(&error.without_url()));
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build();
    let request = request.try_into().map_err(failed)?;
    let response = client.map_err(failed)?.execute(request).await.map_err(failed)?;
    let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    Ok(PresignedResponse { status: response.status().as_u16(), date, body: response.bytes().await.map_err(failed)? })
}

impl PresignedResponse {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn describe(&self, request: &str) -> String {
        format!("the server responds {} {request}", self.status)
    }
}
