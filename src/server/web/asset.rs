//! A file that is part of the program.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::domain::crypto::digest::Sha256;
use crate::server::api::range::{Selection, select};

/// A file, and what it is called here.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) content: &'static [u8],
}

/// The file at a path below this folder.
macro_rules! asset {
    ($path:literal) => {
        $crate::server::web::asset::Asset { path: $path, content: include_bytes!($path) }
    };
}
pub(super) use asset;

impl Asset {
    /// The name that pages load it by.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    fn media_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        })
    }

    /// Answers a request: with the file, unless the browser has this very one.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", Sha256::of(self.content));
        let known = select(headers, &etag, self.content.len() as u64) == Selection::NotModified;
        let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { self.content.into_response() };
        let answered = response.headers_mut();
        if !known {
            answered.insert(CONTENT_TYPE, self.media_type());
        }
        answered.insert(ETAG, HeaderValue::from_str(&etag).expect("hex digits are a header value"));
        // A page and its scripts belong together: a browser asks each time whether it still has the right ones.
        answered.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}
