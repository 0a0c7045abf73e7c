//! What the fuzz targets reach of the server besides its public interface.

use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;
use url::Url;

use super::Encrypted;
use super::extract::{self, Json};

#[allow(dead_code, reason = "the rest of it is for who writes to buckets")]
#[path = "store/s3/stored.rs"]
mod stored;

/// A request's body as the handlers get it.
#[must_use]
pub fn json_body<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    Json::parse(body).ok().map(|Json(value)| value)
}

/// The `Origin` of a request, if it is allowed.
#[must_use]
pub fn own_origin(mut parts: Parts, encrypted: bool) -> Option<Url> {
    parts.extensions.insert(Encrypted(encrypted));
    extract::origin_of(&parts).ok()
}

/// An object of a bucket: its content, the records in its trail, and the object put together again.
#[must_use]
pub fn stored_object(body: &Bytes, content: Option<usize>) -> Option<(Bytes, Vec<(String, Bytes)>, Bytes)> {
    let stored = stored::Stored::parse("key", String::new(), body, content).ok()?;
    let version = stored.known.to_version();
    assert_eq!(stored::Known::from_version(&version).as_ref(), Some(&stored.known));
    let Some(trail) = stored.known.trail else { return Some((stored.content.clone(), Vec::new(), stored.content)) };
    let records = trail.records().unwrap_or_default();
    let records = records.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    let again = trail.attach(&stored.content);
    Some((stored.content, records, again))
}
