//! What the fuzz targets reach of the client besides its public interface.

use super::store;
use crate::client::http::content_range::ContentRange;

/// Start and total of a `Content-Range`.
#[must_use]
pub fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    ContentRange::parse(text).map(|range| (range.start, range.total))
}

/// The code in a refusal of a payload store.
#[must_use]
pub fn store_code(refusal: &[u8]) -> Option<String> {
    store::code_in(refusal)
}
