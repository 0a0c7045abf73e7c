//! Static files of the pages as responses: media type, validation by `ETag`, compression.

use std::io::Write;
use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::domain::crypto::digest::Sha256;
use crate::server::api::range::{Selection, select};

/// Content from this size on is compressed, in bytes: less would save nothing.
const MIN_COMPRESSED: usize = 512;

/// Number of hexadecimal digits of a digest in a validator. 64 bits tell the versions of a file apart.
const DIGEST_DIGITS: usize = 16;

/// File of the pages. Digest and compressed form are computed by the first request that needs them.
///
/// The content is the same for everybody, so its compressed size reveals nothing.
#[derive(Debug)]
pub(super) struct WebFile {
    content: Bytes,
    media_type: HeaderValue,
    vary: &'static str,
    digest: OnceLock<String>,
    compressed: OnceLock<Bytes>,
}

impl WebFile {
    /// Creates a file; `vary` names the request headers that select it among others, besides the encoding.
    pub(super) const fn new(content: Bytes, media_type: HeaderValue, vary: &'static str) -> Self {
        Self { content, media_type, vary, digest: OnceLock::new(), compressed: OnceLock::new() }
    }

    /// Returns the response to a request: the file, or 304 if the browser has the current version.
    pub(super) fn response(&self, headers: &HeaderMap) -> Response {
        let is_compressed = self.is_compressible() && takes_gzip(headers);
        let digest = self.digest.get_or_init(|| Sha256::of(&self.content).to_string()[..DIGEST_DIGITS].to_owned());
        let etag = if is_compressed { format!("\"{digest}-gzip\"") } else { format!("\"{digest}\"") };
        let not_modified = select(headers, &etag, self.content.len() as u64) == Selection::NotModified;
        let mut response = if not_modified {
            StatusCode::NOT_MODIFIED.into_response()
        } else if is_compressed {
            self.compressed.get_or_init(|| compressed(&self.content)).clone().into_response()
        } else {
            self.content.clone().into_response()
        };
        let response_headers = response.headers_mut();
        if !not_modified {
            response_headers.insert(CONTENT_TYPE, self.media_type.clone());
            if is_compressed {
                response_headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        response_headers.insert(ETAG, HeaderValue::from_str(&etag).expect("hex digits are a header value"));
        response_headers.insert(VARY, HeaderValue::from_static(self.vary));
        // A page must run with its own version of the scripts, so browsers revalidate every file.
        response_headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    fn is_compressible(&self) -> bool {
        let media_type = self.media_type.as_bytes();
        self.content.len() >= MIN_COMPRESSED && (media_type.starts_with(b"text/") || media_type == b"image/svg+xml")
    }
}

/// Returns whether a client accepts `gzip`, with a weight other than 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn compressed(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    Bytes::from(written.expect("writing to memory cannot fail"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> WebFile {
        let content = Bytes::from("a line of a page\n".repeat(100));
        WebFile::new(content, HeaderValue::from_static("text/css; charset=utf-8"), "accept-encoding")
    }

    fn request(headers: &[(http::HeaderName, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn files_are_compressed_for_clients_that_accept_it() {
        for (accepted, coding) in [
            ("gzip, deflate, br", Some("gzip")),
            ("br;q=1.0, GZIP;q=0.8", Some("gzip")),
            ("gzip;q=0", None),
            ("identity", None),
            ("gzipped", None),
        ] {
            let response = file().response(&request(&[(ACCEPT_ENCODING, accepted)]));
            let found = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(found, coding, "{accepted}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
        }
        assert!(file().response(&HeaderMap::new()).headers().get(CONTENT_ENCODING).is_none());
    }

    #[test]
    fn each_form_has_its_own_validator() {
        let (file, gzip) = (file(), (ACCEPT_ENCODING, "gzip"));
        let etag = |headers: &HeaderMap| file.response(headers).headers()[ETAG].to_str().unwrap().to_owned();
        let (plain, packed) = (etag(&HeaderMap::new()), etag(&request(std::slice::from_ref(&gzip))));
        assert_ne!(plain, packed);
        let status = |headers: &[(http::HeaderName, &str)]| file.response(&request(headers)).status();
        let known = http::header::IF_NONE_MATCH;
        assert_eq!(status(&[(known.clone(), &plain)]), StatusCode::NOT_MODIFIED);
        assert_eq!(status(&[gzip.clone(), (known.clone(), &packed)]), StatusCode::NOT_MODIFIED);
        assert_eq!(status(&[gzip, (known, &plain)]), StatusCode::OK);
    }
}
