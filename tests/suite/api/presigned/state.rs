//! State in the bucket: deleted payloads, several servers, an unreachable store.

use sgsend::server::StorageLocation;

use super::{MIB, complete, created, granted, path, payload, put, send, signed};
use crate::support::{Service, bucket};

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_deleted_payload_is_gone_and_stays_unserved() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let (id, upload) = created(&sender, 3, "").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);
    let granted = granted(&service.public(), &id).await;
    let deleted = sender.post(&path(&id, "delete")).send().await;
    assert_eq!((deleted.status, deleted.text("status").as_str()), (200, "deleted"));
    // The download URL is valid, but the object no longer exists.
    assert_eq!(send(signed(&granted.json())).await.status, 404);
    // A valid upload URL can restore the object, but the service no longer serves it.
    assert_eq!(put(&upload, b"abc").await, 200);
    service.public().get(&path(&id, "payload/download-bytes")).expect_error("transfer_deleted").await;
    service.public().post(&path(&id, "download/create-presign-url")).expect_error("transfer_deleted").await;
    // A deleted multipart upload accepts no parts.
    let (id, upload) = created(&sender, 17 * MIB, "").await;
    let content = vec![7; 8 * MIB];
    assert_eq!(put(&upload["parts"][0], &content).await, 200);
    assert_eq!(sender.post(&path(&id, "delete")).send().await.status, 200);
    assert_eq!(put(&upload["parts"][1], &content).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_servers_share_state_through_the_bucket_only() {
    let storage = StorageLocation::S3(bucket::fresh().await);
    let one = Service::at(storage.clone()).start().await;
    let other = Service::at(storage.clone()).start().await;
    let sender = one.sender().await;
    let at_other = other.public().like(&sender);
    // Each request of an upload may reach any server.
    let (id, _) = created(&sender, 17 * MIB, r#","max_downloads":1"#).await;
    let payload = payload(17 * MIB);
    for (number, content) in (1..).zip(payload.chunks(8 * MIB)) {
        let body = format!(r#"{{"numbers":[{number}]}}"#);
        let at = if number == 2 { &sender } else { &at_other };
        let fresh = at.post(&path(&id, "upload/create-presign-urls")).json(&body).send().await;
        assert_eq!(put(&fresh.json()["parts"][0], content).await, 200);
    }
    assert_eq!(complete(&at_other, &id).await.status, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);

    let mut asking = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (anyone, id) = (if number % 2 == 0 { one.public() } else { other.public() }, id.clone());
        asking.spawn(async move {
            let response = granted(&anyone, &id).await;
            assert!(response.status == 200 || response.code() == "transfer_exhausted", "{response:?}");
            usize::from(response.status == 200)
        });
    }
    assert_eq!(asking.join_all().await.into_iter().sum::<usize>(), 1);

    // A server added later sees all state; the others may stop.
    one.stop().await;
    drop(other);
    let late = Service::at(storage).start().await;
    let status = late.public().status(&id).await;
    assert_eq!((status.text("status").as_str(), status.number("download_count")), ("exhausted", 1));
    let trail = late.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await.items();
    let granted = trail.iter().filter(|record| record["kind"] == "download_granted").count();
    assert_eq!(granted, 1, "{trail:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_unreachable_store_is_reported_as_unavailable() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::support::{Fault, FaultyBucket};

    let mut location = bucket::fresh().await;
    let is_down = Arc::new(AtomicBool::new(false));
    let store_is_down = is_down.clone();
    let choose = move |_: &axum::extract::Request| {
        if store_is_down.load(Ordering::Relaxed) { Fault::Refused(503) } else { Fault::None }
    };
    let faulty = FaultyBucket::before(location.endpoint.as_ref().unwrap().as_str(), choose).await;
    location.endpoint = Some(faulty.url.clone());
    let service = Service::at(StorageLocation::S3(location)).start().await;
    let sender = service.sender().await;
    let (id, upload) = created(&sender, 3, "").await;
    is_down.store(true, Ordering::Relaxed);
    let response = service.public().get(&path(&id, "status")).expect_error("storage_unavailable").await;
    assert!(response.header("retry-after").parse::<u64>().is_ok());
    service.public().get("/health/ready").expect_error("records_not_readable").await;
    let printed = String::from_utf8_lossy(&response.body).to_lowercase();
    for word in ["s3", "bucket", "amz", "127.0.0.1"] {
        assert!(!printed.contains(word), "the response contains {word}: {printed}");
    }
    assert_eq!(put(&upload, b"abc").await, 503);
    is_down.store(false, Ordering::Relaxed);
    assert_eq!(put(&upload, b"abc").await, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);
}
