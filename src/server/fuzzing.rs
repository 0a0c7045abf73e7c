//! What the fuzz targets reach of the server besides its public interface.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Uri};
use serde::de::DeserializeOwned;
use url::Url;

use super::Encrypted;
use super::extract::{self, Json, Params};
use crate::domain::id::RecordId;
use crate::domain::wire::PageQuery;

#[allow(dead_code, reason = "the rest of it is for who writes to buckets")]
#[path = "store/s3/stored.rs"]
mod stored;

/// A request's body as the handlers get it.
#[must_use]
pub fn json_body<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    Json::parse(body).ok().map(|Json(value)| value)
}

/// The query of a request for a page of a list, and the record after which that page begins.
#[must_use]
pub fn page_query(uri: &Uri) -> Option<(PageQuery, Option<RecordId>)> {
    let Params(query) = Params::<PageQuery>::parse(uri).ok()?;
    let after = super::paging::after(&query).ok()?;
    Some((query, after))
}

/// The cookies of a request that are looked at where a key is asked for.
#[must_use]
pub fn cookies_named<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    extract::cookies_named(headers, name)
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
