//! Checks of the store header before a store is used.

use std::time::Duration;

use futures_util::future::join_all;
use sgsend::domain::store::{StoreError, open_header};

use crate::backends::{SharedStore, creating};

pub(crate) async fn the_first_header_is_kept(store: SharedStore) {
    let first = open_header(&*store, Duration::from_mins(1)).await.unwrap();
    let second = open_header(&*store, Duration::from_secs(90)).await.unwrap();
    assert_eq!(first.retain_audit_s, 60);
    assert_eq!(second, first);
}

pub(crate) async fn racing_processes_agree_on_the_header(store: SharedStore) {
    let opened = join_all((1..=8).map(|seconds| open_header(&*store, Duration::from_secs(seconds)))).await;
    let headers: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    assert!(headers.iter().all(|header| *header == headers[0]));
}

#[tokio::test]
async fn a_newer_store_is_rejected() {
    let (store, ()) = crate::backends::memory().await;
    store.commit(creating("store.json", r#"{"v":2,"retain_audit_s":1}"#)).await.unwrap();
    let result = open_header(&*store, Duration::from_mins(1)).await;
    assert!(matches!(result, Err(StoreError::Corrupt { .. })));
}
