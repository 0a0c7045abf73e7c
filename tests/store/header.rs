//! Checks of the store header before a store is used.

use std::time::Duration;

use futures_util::future::join_all;
use sgsend::domain::audit::Retention;
use sgsend::domain::store::{LayoutVersion, StorageKey, StoreError, StoreHeader, open_header};

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

pub(crate) async fn an_older_header_is_upgraded_once(store: SharedStore) {
    store.commit(creating("store.json", r#"{"v":1,"retain_audit_s":60}"#)).await.unwrap();
    let headers = join_all((0..8).map(|_| open_header(&*store, Retention::default()))).await;
    let headers: Vec<_> = headers.into_iter().map(Result::unwrap).collect();
    assert_eq!((headers[0].v, headers[0].retain_audit_s), (LayoutVersion::CURRENT, 60));
    assert!(headers[0].store_id.is_some() && headers[0].retain_reads_s.is_some());
    assert!(headers.iter().all(|header| *header == headers[0]), "concurrent upgrades disagree: {headers:?}");
    assert_eq!(StoreHeader::of(&*store).await.unwrap().as_ref(), Some(&headers[0]));
}

pub(crate) async fn a_newer_store_is_rejected_and_stays_unchanged(store: SharedStore) {
    let newer = r#"{"v":5,"retain_audit_s":1}"#;
    store.commit(creating("store.json", newer)).await.unwrap();
    let result = open_header(&*store, Retention::default()).await;
    assert!(matches!(result, Err(StoreError::NewerLayout { found }) if found.number() == 5), "{result:?}");
    let key = StorageKey::header();
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, newer);
}
