//! Items in one page of a list.

use crate::domain::error::Error;

/// Page size of requests without `limit`.
const DEFAULT_PAGE: u32 = 100;
/// Maximum page size.
const MAX_PAGE: u32 = 1_000;

/// Returns the page size for the requested `limit`.
///
/// # Errors
/// [`Error::InvalidRequest`] outside 1 to 1 000.
pub(in crate::domain) fn page_size(limit: Option<u32>) -> Result<usize, Error> {
    match limit.unwrap_or(DEFAULT_PAGE) {
        size @ 1..=MAX_PAGE => Ok(size as usize),
        _ => Err(Error::InvalidRequest(format!("limit must be between 1 and {MAX_PAGE}"))),
    }
}
