//! Security headers that restrict what browsers do with a response.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

use super::MiddlewareContext;
use crate::server::net::connection_info::IsTls;

/// Headers of every response.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];
/// Defaults for responses that do not set the header: no caching, and no active content outside pages.
const DEFAULTS: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox")),
];
/// HTTP Strict Transport Security for one year, in seconds (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the security headers, with HSTS if browsers reach this service over TLS.
///
/// TLS is terminated by this service, or by a proxy in front of it (`tls_at_proxy`).
pub(super) async fn add_security_headers(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let over_tls = context.tls_at_proxy || IsTls::of(request.extensions());
    let mut response = next(request).await;
    let headers = response.headers_mut();
    headers.extend(ALWAYS);
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if over_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}
