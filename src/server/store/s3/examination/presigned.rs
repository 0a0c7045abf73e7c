//! Whether URLs that clients are given do what they say, and nothing else.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::refusal::why;
use super::scratch::{Answer, CONTENT, OTHER, Scratch, as_stranger};
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{SignedRequest, StorageKey, StoreError};
use crate::server::store::s3::bucket::Bucket;
use crate::server::store::s3::presigner::{sign_get, sign_put};

/// How long the URLs of an examination live.
const LIFETIME: Duration = Duration::from_mins(5);

/// What to do about a server whose URLs promise more than they should.
const UNSAFE: &str = "use a server that checks the signature: whoever has a URL could do more than it was signed for";
/// What to do about a bucket that anybody can read.
const PUBLIC: &str = "make the bucket private and block public access; or use a server that asks for signatures";
/// What to do about a server whose URLs do not work.
const USELESS: &str = "check region, endpoint and path style, and whatever stands before the S3 server";

/// Uses URLs as clients do, and as they should not.
pub(super) async fn examine(scratch: &Scratch) -> Vec<Finding> {
    let signed = match sign_put(&scratch.bucket, &scratch.presigned, CONTENT.len() as u64, LIFETIME).await {
        Ok(signed) => signed,
        Err(error) => return vec![Finding::problem("presigned_put", why(&error), USELESS)],
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
    refused("presigned_put_tampered", send(&tampered, OTHER).await, "a URL with another signature", UNSAFE)
}

async fn put_longer(signed: &SignedRequest) -> Finding {
    let longer = [&OTHER[..], b"!"].concat().into();
    refused("presigned_put_length", send(signed, longer).await, "a body of another length than was signed", UNSAFE)
}

async fn put(signed: &SignedRequest) -> Finding {
    const NAME: &str = "presigned_put";
    match send(signed, CONTENT).await {
        Ok(answer) if answer.is_success() => Finding::ok(NAME, "a client can put a payload"),
        Ok(answer) => Finding::problem(NAME, answer.describe("to a URL as it was signed"), USELESS),
        Err(error) => Finding::problem(NAME, why(&error), USELESS),
    }
}

/// The URL lives longer than it takes to use it: it must not replace what it has put.
async fn put_again(signed: &SignedRequest) -> Finding {
    const NAME: &str = "presigned_put_again";
    match send(signed, OTHER).await {
        Ok(answer) if answer.status == 412 => Finding::ok(NAME, "a URL puts once, and never over an object"),
        Ok(answer) if answer.is_success() => Finding::problem(
            NAME,
            "this server does not honour If-None-Match: * on presigned writes",
            "use a server that does: otherwise a URL that still lives can replace a payload that is complete",
        ),
        Ok(answer) => Finding::cannot_tell(NAME, answer.describe("where 412 was expected"), USELESS),
        Err(error) => Finding::cannot_tell(NAME, why(&error), USELESS),
    }
}

async fn get(scratch: &Scratch) -> Finding {
    const NAME: &str = "presigned_get";
    let fetched = async {
        let there = scratch.bucket.read(&scratch.object).await?.map(|read| read.body);
        let answer = send(&sign_get(&scratch.bucket, &scratch.object, LIFETIME).await?, Bytes::new()).await?;
        Ok::<_, StoreError>((there, answer))
    };
    match fetched.await {
        Ok((Some(there), answer)) if answer.is_success() && answer.body == there => {
            Finding::ok(NAME, "a client can fetch a payload")
        }
        Ok((_, answer)) => Finding::problem(NAME, answer.describe("to a URL as it was signed"), USELESS),
        Err(error) => Finding::problem(NAME, why(&error), USELESS),
    }
}

async fn get_unsigned(scratch: &Scratch) -> Finding {
    let answer = async { as_stranger(unsigned_get(&scratch.bucket, &scratch.object).await?).await };
    refused("anonymous_get", answer.await, "a request without a signature", PUBLIC)
}

/// What the server must refuse; `mend` is what to do if it does not.
fn refused(name: &'static str, outcome: Result<Answer, StoreError>, what: &str, mend: &str) -> Finding {
    match outcome {
        Ok(answer) if matches!(answer.status, 401 | 403) => Finding::ok(name, format!("{what} is refused")),
        Ok(answer) if answer.is_success() => Finding::problem(name, format!("{what} is accepted"), mend),
        Ok(answer) => Finding::cannot_tell(name, answer.describe(&format!("to {what}")), USELESS),
        Err(error) => Finding::cannot_tell(name, why(&error), USELESS),
    }
}

/// A request for an object without any signature.
pub(super) async fn unsigned_get(bucket: &Bucket, key: &StorageKey) -> Result<Request<Bytes>, StoreError> {
    let mut signed = sign_get(bucket, key, LIFETIME).await?;
    signed.url.truncate(signed.url.find('?').unwrap_or(signed.url.len()));
    request(&signed, Bytes::new())
}

async fn send(signed: &SignedRequest, body: Bytes) -> Result<Answer, StoreError> {
    as_stranger(request(signed, body)?).await
}

fn request(signed: &SignedRequest, body: Bytes) -> Result<Request<Bytes>, StoreError> {
    let mut request = Request::builder().method(signed.method.as_str()).uri(&signed.url);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.body(body).map_err(StoreError::unavailable)
}

impl Answer {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn describe(&self, to_what: &str) -> String {
        format!("the server answers {} {to_what}", self.status)
    }
}
