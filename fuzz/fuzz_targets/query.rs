//! Parser for queries of list requests: accepts only known parameters, each at most once.

#![no_main]

use std::collections::HashMap;

use http::Uri;
use libfuzzer_sys::fuzz_target;
use sgsend::server::fuzzing::page_query;
use sgsend_fuzz::assert_canonical;

fuzz_target!(|query: &str| {
    let Ok(uri) = format!("/tokens/list?{query}").parse::<Uri>() else { return };
    let Some((page, after)) = page_query(&uri) else { return };
    let query = uri.query().expect("the URI has a query");
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let parameters: HashMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(parameters.len(), pairs.len(), "a repeated parameter was accepted");
    assert!(parameters.keys().all(|name| matches!(&**name, "after" | "limit")), "an unknown parameter was accepted");
    assert_eq!(page.after.as_deref(), parameters.get("after").map(|after| &**after));
    assert_eq!(page.limit, parameters.get("limit").map(|limit| limit.parse().expect("an accepted limit is a number")));
    assert_eq!(after.is_some(), page.after.is_some());
    if let (Some(text), Some(after)) = (page.after, after) {
        assert_canonical(&text, &after.to_string());
    }
});
