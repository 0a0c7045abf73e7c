//! Range requests and conditional requests (RFC 9110).

use std::ops::Range;

use http::HeaderMap;
use http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

/// The part of a payload selected by a request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The whole payload (200).
    Whole,
    /// One byte range (206).
    Part(Range<u64>),
    /// The range lies outside the payload (416).
    Unsatisfiable,
    /// The client has the current version (304).
    NotModified,
    /// The client wants to resume another version (412).
    PreconditionFailed,
}

impl Selection {
    /// Returns the range of bytes to send from a payload of `size` encrypted bytes. Returns `None` for a response
    /// without bytes.
    #[must_use]
    pub fn range(&self, size: u64) -> Option<Range<u64>> {
        match self {
            Self::Whole => Some(0..size),
            Self::Part(range) => Some(range.clone()),
            Self::Unsatisfiable | Self::NotModified | Self::PreconditionFailed => None,
        }
    }
}

/// Evaluates the conditional and range headers of a request for a payload of `size` encrypted bytes.
///
/// Ignores malformed and multiple ranges, as RFC 9110 section 14.2 allows.
#[must_use]
pub fn select(headers: &HeaderMap, etag: &str, size: u64) -> Selection {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text(IF_MATCH).is_some_and(|wanted| !lists(wanted, etag, false)) {
        return Selection::PreconditionFailed;
    }
    if text(IF_NONE_MATCH).is_some_and(|known| lists(known, etag, true)) {
        return Selection::NotModified;
    }
    // Payloads have no modification time: an `If-Range` with a date never matches.
    if text(IF_RANGE).is_some_and(|wanted| wanted != etag) {
        return Selection::Whole;
    }
    text(RANGE).and_then(|range| parse(range, size)).unwrap_or(Selection::Whole)
}

/// Returns whether a list of entity tags contains `etag`.
///
/// `weakly` selects the weak comparison, which also matches weak tags (RFC 9110 section 8.8.3.2).
fn lists(list: &str, etag: &str, weakly: bool) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|listed| listed == "*" || listed == etag || (weakly && listed.strip_prefix("W/") == Some(etag)))
}

/// Parses a single byte range; `None` for a range to ignore.
fn parse(text: &str, size: u64) -> Option<Selection> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (start, end) = if first.is_empty() {
        let suffix = number(last)?;
        (size.saturating_sub(suffix), if suffix == 0 { 0 } else { size })
    } else {
        let start = number(first)?;
        let end = if last.is_empty() { size } else { number(last)?.saturating_add(1) };
        if end <= start && !last.is_empty() {
            return None;
        }
        (start, end.min(size))
    };
    Some(if start < end { Selection::Part(start..end) } else { Selection::Unsatisfiable })
}

/// Parses digits only, since `u64::from_str` also accepts a sign; saturates at `u64::MAX`.
fn number(text: &str) -> Option<u64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Some(text.parse().unwrap_or(u64::MAX))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(pairs: &[(http::HeaderName, &str)]) -> Selection {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        select(&headers, "\"tag\"", 100)
    }

    #[test]
    fn one_range_is_served() {
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=10-19", 10..20),
            ("bytes=90-", 90..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
            ("bytes=50-1000", 50..100),
            ("BYTES=0-99", 0..100),
            ("bytes=5-99999999999999999999999", 5..100),
        ] {
            assert_eq!(selected(&[(RANGE, range)]), Selection::Part(part), "{range}");
        }
    }

    #[test]
    fn ranges_outside_are_unsatisfiable_and_malformed_ones_ignored() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(selected(&[(RANGE, range)]), Selection::Unsatisfiable, "{range}");
        }
        for range in ["bytes=0-1,5-6", "bytes=5-4", "bytes=", "bytes=-", "bytes=a-b", "bytes=+1-2", "lines=0-1", "0-1"]
        {
            assert_eq!(selected(&[(RANGE, range)]), Selection::Whole, "{range}");
        }
    }

    #[test]
    fn preconditions_come_before_ranges() {
        let range = (RANGE, "bytes=0-1");
        assert_eq!(selected(&[range.clone(), (IF_RANGE, "\"tag\"")]), Selection::Part(0..2));
        assert_eq!(selected(&[range.clone(), (IF_RANGE, "\"old\"")]), Selection::Whole);
        assert_eq!(selected(&[range.clone(), (IF_RANGE, "W/\"tag\"")]), Selection::Whole);
        assert_eq!(selected(&[range.clone(), (IF_RANGE, "Sat, 01 Jan 2000 00:00:00 GMT")]), Selection::Whole);
        assert_eq!(selected(&[range.clone(), (IF_NONE_MATCH, "\"a\", W/\"tag\"")]), Selection::NotModified);
        assert_eq!(selected(&[range.clone(), (IF_MATCH, "W/\"tag\"")]), Selection::PreconditionFailed);
        assert_eq!(selected(&[range, (IF_MATCH, "*")]), Selection::Part(0..2));
    }
}
