//! Scratch objects of the bucket checks, and requests without credentials.

use std::time::Duration;

use bytes::Bytes;

use super::failure::problem;
use crate::domain::crypto::random;
use crate::domain::error::chain;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{StorageKey, StoreError};
use crate::server::store::s3::actions::DELETE;
use crate::server::store::s3::bucket::Bucket;

/// Content of every scratch object.
pub(super) const CONTENT: Bytes = Bytes::from_static(b"sgsend doctor was here");
/// Different content with the same length.
pub(super) const OTHER: Bytes = Bytes::from_static(b"SGSEND DOCTOR WAS HERE");

/// Timeout of one request without credentials.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Scratch keys of one run of the checks.
pub(super) struct Scratch {
    pub(super) bucket: Bucket,
    /// Object that exists during all checks.
    pub(super) object: StorageKey,
    /// Object of a multipart upload.
    pub(super) joined: StorageKey,
    /// Object written by a presigned URL.
    pub(super) presigned: StorageKey,
    /// Object that is never written.
    pub(super) absent: StorageKey,
}

/// Response to a request without credentials.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) date: Option<String>,
    pub(super) body: Bytes,
}

impl Scratch {
    /// Creates scratch keys in `bucket` with a random prefix, which no other run uses.
    pub(super) fn new(bucket: Bucket) -> Self {
        let run = random::name();
        let key = |name: &str| StorageKey::from_backend(format!("doctor/{run}/{name}"));
        Self {
            bucket,
            object: key("object"),
            joined: key("joined"),
            presigned: key("presigned"),
            absent: key("absent"),
        }
    }

    /// Removes all scratch objects.
    pub(super) async fn remove(&self) -> Finding {
        const NAME: &str = "delete";
        // Failed multipart checks may leave uploads behind; their findings have reported the cause.
        for upload in self.bucket.unfinished_uploads(&self.joined).await.unwrap_or_default() {
            let _ = self.bucket.abort_multipart(&self.joined, &upload).await;
        }
        let removed = async {
            self.bucket.remove(&[self.joined.clone(), self.presigned.clone()]).await?;
            self.bucket.remove(std::slice::from_ref(&self.object)).await?;
            self.bucket.length(&self.object).await
        };
        match removed.await {
            Ok(None) => Finding::ok(NAME, "one object per request, and several per request"),
            Ok(Some(_)) => Finding::problem(
                NAME,
                "a deleted object still exists",
                "use a server with consistent responses: deleted payloads must be gone at once",
            ),
            Err(error) => problem(NAME, DELETE, &error),
        }
    }
}

/// Sends a request without credentials, as the holder of a URL does.
pub(super) async fn send_without_credentials(request: http::Request<Bytes>) -> Result<Response, StoreError> {
    let failed = |error: reqwest::Error| StoreError::unavailable(chain(&error.without_url()));
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build();
    let request = request.try_into().map_err(failed)?;
    let response = client.map_err(failed)?.execute(request).await.map_err(failed)?;
    let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    Ok(Response { status: response.status().as_u16(), date, body: response.bytes().await.map_err(failed)? })
}
