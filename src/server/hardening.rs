//! Headers that keep browsers from doing more with an answer than it is for.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// In every answer, whatever it holds.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];
/// Where an answer says nothing else: only pages may do anything at all.
const UNLESS_SET: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox")),
];
/// A year, in seconds (RFC 6797).
const ALWAYS_ENCRYPTED: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds them; `encrypted` says that browsers reach this service by TLS.
pub(super) fn harden(headers: &mut HeaderMap, encrypted: bool) {
    headers.extend(ALWAYS);
    for (name, value) in UNLESS_SET {
        headers.entry(name).or_insert(value);
    }
    if encrypted {
        headers.insert(STRICT_TRANSPORT_SECURITY, ALWAYS_ENCRYPTED);
    }
}
