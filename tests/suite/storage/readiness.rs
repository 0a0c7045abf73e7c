//! Readiness of a store whose payloads or records cannot be used.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use sgsend::domain::store::{Records, StorageKey};
use sgsend::server::StorageLocation;
use sgsend::server::store::S3Store;

use crate::support::{Fault, FaultyBucket, Service, bucket, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_cannot_be_written_are_named() {
    let service = Service::on_disk().start().await;
    let ready = || service.public().get("/health/ready");
    let payloads = service.folder().join("payloads");
    let away = service.folder().join("away");
    fs::rename(&payloads, &away).unwrap();
    let not_ready = ready().expect_error("payloads_not_writable").await;
    assert_eq!(not_ready.json()["failed_checks"], json!(["payloads_not_writable"]));
    assert!(not_ready.header("retry-after").parse::<u64>().is_ok());
    assert!(!String::from_utf8_lossy(&not_ready.body).contains(service.folder().to_str().unwrap()));
    fs::rename(&away, &payloads).unwrap();
    eventually(|| async { (ready().send().await.status == 200).then_some(()) }).await;
    assert_eq!(fs::read_dir(&payloads).unwrap().count(), 0, "a check left a file");
    let records = rusqlite::Connection::open(service.folder().join("records.sqlite")).unwrap();
    let left: u32 =
        records.query_row("SELECT count(*) FROM object WHERE key LIKE 'probes/%'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "a check left a record");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_written_are_named_within_two_seconds() {
    let service = Service::on_disk().start().await;
    let ready = || async { service.public().get("/health/ready").send().await };
    let records = rusqlite::Connection::open(service.folder().join("records.sqlite")).unwrap();
    records.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let responses = join_all((0..50).map(|_| ready())).await;
    // The limit is 2 s; the rest is for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    for response in responses {
        assert_eq!((response.status, response.code().as_str()), (503, "records_not_writable"), "{response:?}");
        assert_eq!(response.json()["failed_checks"], json!(["records_not_writable"]));
    }
    records.execute_batch("COMMIT").unwrap();
    eventually(|| async { (ready().await.status == 200).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_checks_name_what_a_bucket_refuses_and_leave_nothing() {
    let location = bucket::fresh().await;
    let refused = Arc::<AtomicBool>::default();
    let is_refused = refused.clone();
    // Objects of probes of payloads are read by range, and those of records never.
    let choose = move |request: &axum::extract::Request| {
        let reads = request.method() == "GET" && request.uri().path().contains("/probes/");
        if reads && is_refused.load(Ordering::Relaxed) { Fault::Refused(403) } else { Fault::None }
    };
    let faulty = FaultyBucket::before(location.endpoint.as_ref().unwrap().as_str(), choose).await;
    let mut through = location.clone();
    through.endpoint = Some(faulty.url.clone());
    let service = Service::at(StorageLocation::S3(through)).start().await;
    let ready = || service.public().get("/health/ready");
    assert_eq!(ready().send().await.status, 200);
    refused.store(true, Ordering::Relaxed);
    eventually(|| async { (ready().send().await.status == 503).then_some(()) }).await;
    let not_ready = ready().expect_error("payloads_not_readable").await;
    assert_eq!(not_ready.json()["failed_checks"], json!(["payloads_not_readable"]));
    refused.store(false, Ordering::Relaxed);
    eventually(|| async { (ready().send().await.status == 200).then_some(()) }).await;
    service.stop().await;
    let store = S3Store::open(&location).await;
    assert_eq!(store.keys(&StorageKey::all_probes(), None, 9).await.unwrap(), [], "a check left an object");
}
