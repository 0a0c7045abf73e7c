//! Ranges and preconditions of a download, and the client's parser for the response's range.
//!
//! The input is the payload's size and the values of `Range`, `If-Range`, `If-Match` and `If-None-Match`, one per line.

#![no_main]

use http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use sgsend::client::fuzzing::content_range;
use sgsend::server::api::range::{Selection, select};
use sgsend_fuzz::lines;

const ETAG: &str = "\"tag\"";

fn range_header(range: &str) -> HeaderMap {
    [(RANGE, HeaderValue::from_str(range).expect("the range is a valid header value"))].into_iter().collect()
}

fuzz_target!(|text: &str| {
    if let Some((start, total)) = content_range(text) {
        assert!(text.contains(&start.to_string()) && total.is_none_or(|total| text.contains(&total.to_string())));
    }
    let [size, values @ ..] = lines::<5>(text);
    let Ok(size) = size.parse::<u64>() else { return };
    let names = [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH];
    let mut headers = HeaderMap::new();
    for (name, value) in names.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
        let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { return };
        headers.insert(name, value);
    }
    let selection = select(&headers, ETAG, size);
    match &selection {
        Selection::Part(part) => {
            assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
            let (first, last) = (part.start, part.end - 1);
            assert_eq!(select(&range_header(&format!("bytes={first}-{last}")), ETAG, size), selection);
            assert_eq!(content_range(&format!("bytes {first}-{last}/{size}")), Some((first, Some(size))));
        }
        Selection::Unsatisfiable | Selection::Whole => {}
        Selection::NotModified => assert!(headers.contains_key(IF_NONE_MATCH)),
        Selection::PreconditionFailed => assert!(headers.contains_key(IF_MATCH)),
    }
    let ranged = matches!(selection, Selection::Part(_) | Selection::Unsatisfiable);
    assert!(!ranged || headers.contains_key(RANGE));
    assert!(!ranged || headers.get(IF_RANGE).is_none_or(|tag| tag == ETAG), "a range of another version was accepted");
});
