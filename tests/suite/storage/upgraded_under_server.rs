//! A store that a newer version upgrades while an older server runs: the older server stops writing.

use std::time::{Duration, Instant};

use sgsend::domain::store::{Change, Commit, Condition, LAYOUT_CHECK_INTERVAL, Records, StorageKey};
use sgsend::server::store::{Durability, FileStore};

use crate::support::{HeldBucket, Home, ServerProcess, Service};

/// Header of a version that this program does not know.
const NEWER_HEADER: &str = r#"{"v":5,"retain_audit_s":60}"#;

#[tokio::test]
async fn a_server_over_a_folder_stops_writing_at_once() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let complete = sender.send_payload(b"of before the upgrade", r#""max_downloads":2"#).await;
    let pending = sender.create(3, "").await;
    let newer = FileStore::open(service.folder(), Durability::Full).unwrap();
    let key = StorageKey::header();
    let condition = Condition::Is(newer.get(&key).await.unwrap().unwrap().version);
    newer.commit(Commit::of(Change { key, condition, value: NEWER_HEADER.into() })).await.unwrap();
    let objects = async || newer.keys(&StorageKey::all_objects(), None, 1_000).await.unwrap();
    let before = objects().await;

    let (public, admin) = (service.public(), service.admin());
    for request in [
        sender.post("/transfers/create").json(r#"{"size_bytes":1}"#),
        sender.post(&format!("/transfers/id/{pending}/payload/upload-bytes")).bytes(b"abc"),
        sender.post(&format!("/transfers/id/{pending}/upload/complete")).json("{}"),
        sender.post(&format!("/transfers/id/{complete}/delete")).json("{}"),
        admin.post("/tokens/create").json(r#"{"name":"x"}"#),
        public.get("/health/ready"),
        admin.get("/health/ready"),
    ] {
        let refused = request.expect_error("storage_upgraded").await;
        assert_eq!((refused.status, refused.header("retry-after").is_empty()), (503, false), "{refused:?}");
    }
    // Reads go on, without their records: neither the requests, nor the audit log, nor the sweeper have written.
    assert_eq!(sender.status(&complete).await.text("status"), "completed");
    assert_eq!(service.public().get("/health").send().await.status, 200);
    drop(service.stop().await);
    assert_eq!(objects().await, before);
}

/// Sends a request to create a transfer until it is refused; returns its code and how long that took.
async fn time_to_refusal(server: &ServerProcess, token: &str) -> (String, Duration) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let started = Instant::now();
    loop {
        let create = client.post(format!("{}/transfers/create", server.public)).bearer_auth(token);
        let response = create.body(r#"{"size_bytes":1}"#).send().await.unwrap();
        let is_created = response.status() == 201;
        let body: serde_json::Value = response.json().await.unwrap();
        if !is_created {
            return (body["code"].as_str().unwrap_or_default().to_owned(), started.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_over_a_bucket_stops_writing_within_the_interval() {
    let (bucket, home) = (HeldBucket::start().await, Home::new());
    let server = home.server().admin_key().storage(&bucket.storage());
    let server = server.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let (server, home) = tokio::task::spawn_blocking(|| (server.start(), home)).await.unwrap();
    let (server, token) = tokio::task::spawn_blocking(move || {
        let created = home.run_at(&server, &["token", "create", "test", "--json"]).json();
        (server, created["token"].as_str().unwrap().to_owned())
    })
    .await
    .unwrap();
    bucket.put("store/store.json", NEWER_HEADER).await;
    let (code, time) = time_to_refusal(&server, &token).await;
    assert_eq!(code, "storage_upgraded");
    assert!(time < LAYOUT_CHECK_INTERVAL + Duration::from_secs(5), "{time:?}");
    let objects = bucket.keys();
    drop(tokio::task::spawn_blocking(move || server.terminate()).await.unwrap());
    assert_eq!(bucket.keys(), objects, "a server that ends has written");
}
