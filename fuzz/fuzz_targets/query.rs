//! Parser for queries of list requests: accepts only known parameters, each at most once.

#![no_main]

use std::collections::HashMap;

use http::Uri;
use libfuzzer_sys::fuzz_target;
use sgsend::domain::store::IndexCursor;
use sgsend::domain::wire::{OwnTransferQuery, StatusFilter, TransferQuery};
use sgsend::server::fuzzing::{page_query, transfer_queries};
use sgsend_fuzz::assert_canonical;

/// Checks the queries of lists of transfers.
///
/// The own list accepts no more than the list of all, with the same meaning.
fn check_transfer_queries(uri: &Uri) {
    let (own, all) = transfer_queries(uri);
    if let Some(OwnTransferQuery { after, limit, state, request: None }) = own {
        let same = TransferQuery { after, limit, state, ..TransferQuery::default() };
        assert_eq!(all.as_ref(), Some(&same), "the lists read a query differently");
    }
    let Some(all) = all else { return };
    if let Some(state) = &all.state {
        assert_canonical(&state.to_string(), &state.to_string().parse::<StatusFilter>().expect("printed").to_string());
    }
    if let Some(after) = &all.after
        && let Ok(cursor) = after.parse::<IndexCursor>()
    {
        assert_canonical(after, &cursor.to_string());
        assert!((1..=2).contains(&cursor.numbers()));
    }
}

fuzz_target!(|query: &str| {
    if let Ok(uri) = format!("/transfers/list?{query}").parse::<Uri>() {
        check_transfer_queries(&uri);
    }
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
