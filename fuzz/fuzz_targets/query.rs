//! Queries of lists: what is accepted says what was asked, once, with nothing left out.

#![no_main]

use std::collections::HashMap;

use http::Uri;
use libfuzzer_sys::fuzz_target;
use sgsend::server::fuzzing::page_query;
use sgsend_fuzz::has_one_form;

fuzz_target!(|query: &str| {
    let Ok(uri) = format!("/tokens/list?{query}").parse::<Uri>() else { return };
    let Some((page, after)) = page_query(&uri) else { return };
    let query = uri.query().expect("it has one");
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let asked: HashMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(asked.len(), pairs.len(), "one of two values was taken");
    assert!(asked.keys().all(|name| matches!(&**name, "after" | "limit")), "an unknown name was passed over");
    assert_eq!(page.after.as_deref(), asked.get("after").map(|after| &**after));
    assert_eq!(page.limit, asked.get("limit").map(|limit| limit.parse().expect("it was read as a number")));
    assert_eq!(after.is_some(), page.after.is_some());
    if let (Some(text), Some(after)) = (page.after, after) {
        has_one_form(&text, &after.to_string());
    }
});
