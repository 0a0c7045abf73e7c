//! Pages of other origins that may call the public service (Fetch, section 3.2).

use std::fmt;
use std::str::FromStr;

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

/// What calls of the API take; none of them is a cookie, and none is ever sent without being asked for.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, if-range, range, x-request-id, x-sgsend-access, \
     x-sgsend-grant, x-sgsend-token",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept-ranges, content-range, etag, retry-after, x-client-request-id, x-request-id, x-sgsend-grant",
);
/// How long a browser may remember the answer to a preflight, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// An origin: scheme, host, and port where that is not the scheme's own.
#[derive(Clone, PartialEq, Eq)]
pub struct AllowedOrigin(HeaderValue);

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is written like https://app.example.org, as browsers write it: without a path, and never as *")]
pub struct InvalidOrigin;

impl FromStr for AllowedOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        // Anything that a browser would write otherwise could never match.
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

/// The origins whose pages may call a service.
#[derive(Clone, Debug, Default)]
pub(super) struct Cors(Vec<AllowedOrigin>);

impl Cors {
    pub(super) fn new(origins: Vec<AllowedOrigin>) -> Self {
        Self(origins)
    }

    /// The origin of a request, if its pages may call this service.
    pub(super) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.0.iter().find(|allowed| allowed.0 == *origin).map(|allowed| allowed.0.clone())
    }

    /// Answers a browser that asks whether a page may make a request.
    pub(super) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asks = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.allowed(headers).is_none() {
            return None;
        }
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (ACCESS_CONTROL_MAX_AGE, REMEMBERED),
        ];
        Some((StatusCode::NO_CONTENT, allowed).into_response())
    }

    /// Says in an answer that pages of `origin` may read it.
    pub(super) fn finish(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
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
