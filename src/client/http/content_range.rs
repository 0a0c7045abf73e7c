//! Parser for the `Content-Range` response header.

use http::StatusCode;
use http::header::CONTENT_RANGE;
use reqwest::Response;

/// Byte range of a partial response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    /// First byte of the range, counted from 0.
    pub(crate) start: u64,
    /// Size of the complete payload in bytes; `None` if the header has `*` in its place.
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    /// Returns the range of a 206 response; `None` for other statuses and invalid headers.
    pub(crate) fn of(response: &Response) -> Option<Self> {
        let is_partial = response.status() == StatusCode::PARTIAL_CONTENT;
        let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
        is_partial.then(|| Self::parse(text)).flatten()
    }

    /// Parses the header's value.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (start, rest) = text.strip_prefix("bytes ")?.split_once('-')?;
        let total = rest.split_once('/').and_then(|(_, total)| total.parse().ok());
        Some(Self { start: start.parse().ok()?, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_and_total_are_read() {
        let parsed = |text| ContentRange::parse(text).map(|range| (range.start, range.total));
        assert_eq!(parsed("bytes 7-9/10"), Some((7, Some(10))));
        assert_eq!(parsed("bytes 7-9/*"), Some((7, None)));
        for text in ["", "bytes", "bytes */10", "bytes x-9/10", "7-9/10", "lines 7-9/10"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
