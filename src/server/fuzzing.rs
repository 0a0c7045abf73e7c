//! Entry points for the fuzz targets into private parts of the server.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Uri};
use serde::de::DeserializeOwned;
use url::Url;

use crate::domain::id::RecordId;
use crate::domain::wire::{OwnTransferQuery, PageQuery, TransferQuery};
use crate::server::api::extract;
use crate::server::api::extract::{Json, Params};
use crate::server::net::connection_info::IsTls;

#[allow(dead_code, reason = "the fuzz targets use only the parser")]
#[path = "store/s3/object_format.rs"]
mod object_format;

/// Parses a request body as the handlers do.
#[must_use]
pub fn json_body<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    Json::parse(body).ok().map(|Json(value)| value)
}

/// Parses the query of a list request, and the record id in its `after` parameter.
#[must_use]
pub fn page_query(uri: &Uri) -> Option<(PageQuery, Option<RecordId>)> {
    let Params(query) = Params::<PageQuery>::parse(uri).ok()?;
    let after = crate::server::api::paging::after(&query).ok()?;
    Some((query, after))
}

/// Parses the queries of the two lists of transfers.
#[must_use]
pub fn transfer_queries(uri: &Uri) -> (Option<OwnTransferQuery>, Option<TransferQuery>) {
    let own = Params::<OwnTransferQuery>::parse(uri).ok().map(|Params(query)| query);
    (own, Params::<TransferQuery>::parse(uri).ok().map(|Params(query)| query))
}

/// Returns the cookies of a request that can carry the admin key or a session.
#[must_use]
pub fn cookies_named<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    extract::cookies_named(headers, name).into_iter().map(|cookie| cookie.value).collect()
}

/// Returns the `Origin` of a request if it equals the service's own origin.
#[must_use]
pub fn own_origin(mut parts: Parts, encrypted: bool) -> Option<Url> {
    parts.extensions.insert(IsTls(encrypted));
    extract::origin_of(&parts, None).ok()
}

/// Parses a bucket object into its content, the records in its write log, and the re-encoded object.
#[must_use]
pub fn stored_object(body: &Bytes, content: Option<usize>) -> Option<(Bytes, Vec<(String, Bytes)>, Bytes)> {
    let stored = object_format::StoredObject::parse("key", String::new(), body, content).ok()?;
    let version = stored.version.to_version();
    assert_eq!(object_format::ObjectVersion::from_version(&version).as_ref(), Some(&stored.version));
    let Some(log) = stored.version.log else { return Some((stored.content.clone(), Vec::new(), stored.content)) };
    let records = log.records().unwrap_or_default();
    let records = records.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    let encoded = log.attach(&stored.content);
    Some((stored.content, records, encoded))
}
