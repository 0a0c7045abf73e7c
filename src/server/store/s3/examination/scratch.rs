//! Where an examination writes, and what it writes with.

use std::time::Duration;

use bytes::Bytes;

use super::refusal::problem;
use crate::domain::crypto::random;
use crate::domain::error::chain;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{StorageKey, StoreError};
use crate::server::store::s3::actions::DELETE;
use crate::server::store::s3::bucket::Bucket;

/// What every object of an examination holds.
pub(super) const CONTENT: Bytes = Bytes::from_static(b"sgsend doctor was here");
/// The same length, and other bytes.
pub(super) const OTHER: Bytes = Bytes::from_static(b"SGSEND DOCTOR WAS HERE");

/// For one request of a stranger.
const PATIENCE: Duration = Duration::from_secs(10);

/// A place of its own in the bucket.
pub(super) struct Scratch {
    pub(super) bucket: Bucket,
    /// The object that is there as long as the examination lasts.
    pub(super) object: StorageKey,
    /// An object that is put together from parts.
    pub(super) joined: StorageKey,
    /// An object that is put by URL.
    pub(super) presigned: StorageKey,
    /// An object that nobody puts.
    pub(super) absent: StorageKey,
}

/// What came back to a stranger.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) date: Option<String>,
    pub(super) body: Bytes,
}

impl Scratch {
    /// A place in `bucket` that nothing lies in yet.
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

    /// Removes everything.
    pub(super) async fn remove(&self) -> Finding {
        const NAME: &str = "delete";
        // What the checks of uploads have left, where they failed; they have told why.
        for upload in self.bucket.open_uploads(&self.joined).await.unwrap_or_default() {
            let _ = self.bucket.abort_parts(&self.joined, &upload).await;
        }
        let removed = async {
            self.bucket.remove(&[self.joined.clone(), self.presigned.clone()]).await?;
            self.bucket.remove(std::slice::from_ref(&self.object)).await?;
            self.bucket.length(&self.object).await
        };
        match removed.await {
            Ok(None) => Finding::ok(NAME, "one object, and many at once"),
            Ok(Some(_)) => Finding::problem(
                NAME,
                "a removed object is still there",
                "use a server whose answers say what is there: payloads must be gone when they are removed",
            ),
            Err(error) => problem(NAME, DELETE, &error),
        }
    }
}

/// Sends a request as anyone can who has a URL: without credentials.
pub(super) async fn as_stranger(request: http::Request<Bytes>) -> Result<Answer, StoreError> {
    let failed = |error: reqwest::Error| StoreError::unavailable(chain(&error.without_url()));
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build();
    let request = request.try_into().map_err(failed)?;
    let response = client.map_err(failed)?.execute(request).await.map_err(failed)?;
    let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: response.status().as_u16(), date, body: response.bytes().await.map_err(failed)? })
}
