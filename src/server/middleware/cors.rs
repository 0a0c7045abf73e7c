//! CORS for the public service: access from pages of other origins (Fetch standard, section 3.2).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::MiddlewareContext;

/// Methods of the API.
///
/// Browsers never add credentials on their own, since the public service uses no cookies.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
/// Request headers of the API.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, if-range, range, x-request-id, x-sgsend-access, \
     x-sgsend-grant, x-sgsend-guest, x-sgsend-token",
);
/// Response headers that pages of allowed origins can read.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept-ranges, content-range, etag, retry-after, x-client-request-id, x-request-id, x-sgsend-grant",
);
/// Lifetime of a preflight response in the browser's cache, in seconds.
const PREFLIGHT_MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// An allowed origin: scheme, host, and the port unless it is the scheme's default.
#[derive(Clone, PartialEq, Eq)]
pub struct AllowedOrigin(HeaderValue);

/// The error for text that is not an exact http or https origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin looks like https://app.example.org: as browsers send it, without a path or wildcard")]
pub struct InvalidOrigin;

impl FromStr for AllowedOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        // Requires the browser's exact serialisation: any other spelling could never match a request.
        let web = matches!(url.scheme(), "http" | "https") && !text.contains('*');
        let exact = web && url.origin().ascii_serialization() == text;
        let value = exact.then(|| HeaderValue::from_str(text).ok()).flatten();
        value.map(Self).ok_or(InvalidOrigin)
    }
}

impl fmt::Debug for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The origins allowed to call a service; empty disables CORS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors(Vec<AllowedOrigin>);

impl Cors {
    pub(crate) fn new(origins: Vec<AllowedOrigin>) -> Self {
        Self(origins)
    }

    /// Returns the `Origin` of a request if that origin is allowed.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.0.iter().find(|allowed| allowed.0 == *origin).map(|allowed| allowed.0.clone())
    }
}

/// Marks preflight requests from an allowed origin, in the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preflight;

/// Adds the CORS headers for pages of an allowed origin, and marks preflight requests.
///
/// Adds `Vary: origin` if any origin is allowed.
pub(super) async fn add_cors_headers(
    context: Arc<MiddlewareContext>,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let cors = &context.cors;
    let origin = cors.allowed(request.headers());
    let asks_for_method = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if origin.is_some() && request.method() == Method::OPTIONS && asks_for_method {
        request.extensions_mut().insert(Preflight);
    }
    let mut response = next(request).await;
    if cors.0.is_empty() {
        return response;
    }
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
    response
}

/// Responds to a marked preflight request instead of a handler.
pub(super) async fn respond_to_preflight(
    _: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if request.extensions().get::<Preflight>().is_none() {
        return next(request).await;
    }
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_must_be_in_browser_form() {
        for good in ["https://app.example.org", "http://localhost:3000", "https://[2001:db8::1]:8443"] {
            assert!(good.parse::<AllowedOrigin>().is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "",
            "app.example.org",
            "https://app.example.org/",
            "https://app.example.org/x",
            "https://app.example.org:443",
            "https://App.example.org",
            "https://user@app.example.org",
            "https://*.example.org",
            "ftp://app.example.org",
            "file:///",
        ] {
            assert_eq!(bad.parse::<AllowedOrigin>(), Err(InvalidOrigin), "{bad}");
        }
    }
}
