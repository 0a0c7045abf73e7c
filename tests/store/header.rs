//! Checks of the store header before a store is used.

use std::time::Duration;

use futures_util::future::join_all;
use sgsend::domain::audit::Retention;
use sgsend::domain::store::{StoreError, StoreHeader, open_header};

use crate::backends::{SharedStore, creating};

pub(crate) async fn the_first_header_is_kept(store: SharedStore) {
    let retention = Retention::new(Duration::from_mins(3), Some(Duration::from_mins(1)));
    let first = open_header(&*store, retention).await.unwrap();
    let second = open_header(&*store, Retention::new(Duration::from_secs(90), None)).await.unwrap();
    assert_eq!((first.retain_audit_s, first.retain_reads_s), (180, Some(60)));
    assert_eq!(first.retention(), retention);
    assert_eq!(second, first);
}

pub(crate) async fn racing_processes_agree_on_the_header(store: SharedStore) {
    let opened =
        join_all((1..=8).map(|seconds| open_header(&*store, Retention::new(Duration::from_secs(seconds), None)))).await;
    let headers: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    assert!(headers.iter().all(|header| *header == headers[0]));
}

#[tokio::test]
async fn a_header_without_a_retention_of_reads_has_the_default() {
    let (store, ()) = crate::backends::memory().await;
    store.commit(creating("store.json", r#"{"v":1,"retain_audit_s":7776000}"#)).await.unwrap();
    let header = StoreHeader::of(&*store).await.unwrap().unwrap();
    assert_eq!(header.retention(), Retention::default());
}

#[tokio::test]
async fn a_newer_store_is_rejected() {
    let (store, ()) = crate::backends::memory().await;
    store.commit(creating("store.json", r#"{"v":2,"retain_audit_s":1}"#)).await.unwrap();
    let result = open_header(&*store, Retention::default()).await;
    assert!(matches!(result, Err(StoreError::Corrupt { .. })));
}
