//! Entry points for the fuzz targets, beyond the client's public interface.

use super::store;
use crate::client::http::content_range::ContentRange;

/// Parses a `Content-Range` header into start and total size, in bytes.
#[must_use]
pub fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    ContentRange::parse(text).map(|range| (range.start, range.total))
}

/// Extracts the error code from a payload store's XML error response.
#[must_use]
pub fn store_code(body: &[u8]) -> Option<String> {
    store::code_in(body)
}
