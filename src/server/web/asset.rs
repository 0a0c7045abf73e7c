//! Static files that are built into the program.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::domain::crypto::digest::Sha256;
use crate::server::api::range::{Selection, select};

/// Static file and its path in this folder.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) content: &'static [u8],
}

/// Includes the file at a path relative to `src/server/web`.
macro_rules! asset {
    ($path:literal) => {
        $crate::server::web::asset::Asset { path: $path, content: include_bytes!($path) }
    };
}
pub(super) use asset;

impl Asset {
    /// Returns the path in URLs, relative to `/web/`.
    pub(super) fn url_path(&self) -> &'static str {
        self.path.strip_prefix("scripts/").unwrap_or(self.path)
    }

    fn media_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("txt") => "text/plain; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        })
    }

    /// Returns the response to a request: the file, or 304 if the browser has the current version.
    pub(super) fn response(&self, headers: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", Sha256::of(self.content));
        let not_modified = select(headers, &etag, self.content.len() as u64) == Selection::NotModified;
        let mut response =
            if not_modified { StatusCode::NOT_MODIFIED.into_response() } else { self.content.into_response() };
        let response_headers = response.headers_mut();
        if !not_modified {
            response_headers.insert(CONTENT_TYPE, self.media_type());
        }
        response_headers.insert(ETAG, HeaderValue::from_str(&etag).expect("hex digits are a header value"));
        // A page must run with its own version of the scripts, so browsers revalidate every file.
        response_headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}
