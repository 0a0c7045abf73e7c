//! Content Security Policy (level 3) of the pages. Allows own assets, and requests to this service and its store.

use std::time::Duration;

use http::HeaderValue;
use url::{Origin, Url};

use crate::domain::id::PayloadId;
use crate::domain::store::{Store, StoreError};

/// Value of the `Content-Security-Policy` header.
#[derive(Clone, Debug)]
pub(in crate::server) struct Policy(HeaderValue);

impl Policy {
    /// Creates the policy; pages may also send requests to `store`.
    ///
    /// Pages contain no inline script or style, never turn text into HTML, and load nothing from other origins. A
    /// preview is an image from a `blob:` URL of the page itself; a download starts in a frame.
    pub(in crate::server) fn new(store: Option<&Origin>) -> Self {
        let store = store.map_or_else(String::new, |origin| format!(" {}", origin.ascii_serialization()));
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
             connect-src 'self'{store}; worker-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types save"
        );
        Self(HeaderValue::from_str(&policy).expect("an origin is ASCII"))
    }

    pub(in crate::server) fn value(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Returns the origin of presigned URLs, read from a sample URL. Returns `None` for a store without presigned URLs.
pub(in crate::server) async fn store_origin(store: &dyn Store) -> Result<Option<Origin>, StoreError> {
    let Some(presigner) = store.presigner() else { return Ok(None) };
    let example = presigner.get(PayloadId::random(), Duration::from_secs(1)).await?;
    let url = Url::parse(&example.url).map_err(|error| StoreError::unavailable(error.to_string()))?;
    Ok(Some(url.origin()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_exactly_the_origin_of_the_store() {
        let origin = Url::parse("https://bucket.s3.eu-central-1.amazonaws.com/prefix/x?X-Amz-Date=1").unwrap().origin();
        let policy = Policy::new(Some(&origin)).value();
        let policy = policy.to_str().unwrap();
        assert!(policy.contains("connect-src 'self' https://bucket.s3.eu-central-1.amazonaws.com;"), "{policy}");
        assert!(Policy::new(None).value().to_str().unwrap().contains("connect-src 'self';"));
    }
}
