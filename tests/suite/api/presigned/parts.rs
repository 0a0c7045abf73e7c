//! Multipart uploads: parts in any order, unfinished and vanished uploads.

use std::time::Duration;

use sgsend::server::store::S3Location;
use sgsend::server::{Server, StorageLocation};

use super::{MIB, complete, created, download_payload, path, payload, put};
use crate::support::{Service, bucket};

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_parts_arrive_in_any_order() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let payload = payload(17 * MIB);
    let (id, upload) = created(&sender, payload.len(), "").await;
    assert_eq!((&upload["kind"], upload["part_count"].as_u64()), (&"multipart".into(), Some(3)));
    assert_eq!(upload["part_size_bytes"].as_u64(), Some(8 << 20));
    let parts = upload["parts"].as_array().unwrap();
    let content = |number: usize| payload.chunks(8 * MIB).nth(number - 1).unwrap();
    assert_eq!(put(&parts[2], content(3)).await, 200);
    assert_eq!(put(&parts[0], content(1)).await, 200);
    assert_eq!(put(&parts[1], &content(2)[1..]).await, 403, "a part that is too short was accepted");
    let status = sender.get(&path(&id, "upload/status")).send().await;
    assert_eq!(status.json()["parts_received"], serde_json::json!([[1, 1], [3, 3]]));
    assert_eq!((status.number("received_bytes"), status.number("part_size_bytes")), (9 << 20, 8 << 20));
    assert_eq!(complete(&sender, &id).await.check("upload_incomplete").number("received_bytes"), 9 << 20);

    let ask = |numbers: &str| {
        sender.post(&path(&id, "upload/create-presign-urls")).json(&format!(r#"{{"numbers":{numbers}}}"#))
    };
    for refused in ["[0]", "[4]", "[2,2]", &format!("{:?}", vec![1; 101])] {
        ask(refused).expect_error("invalid_request").await;
    }
    let fresh = ask("[2]").send().await;
    assert_eq!((fresh.status, fresh.json()["parts"][0]["number"].as_u64()), (200, Some(2)));
    assert_eq!(put(&fresh.json()["parts"][0], content(2)).await, 200);
    // A part that is sent again replaces the earlier one.
    assert_eq!(put(&parts[2], content(3)).await, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);
    let late = put(&parts[0], &vec![0; 8 * MIB]).await;
    assert_eq!(late, 404, "a completed upload accepted a part");
    ask("[1]").expect_error("transfer_not_pending").await;
    assert!(download_payload(&service, &id).await == payload);
}

/// Lists the payload objects and open multipart uploads of transfer `id` in the bucket.
async fn payload_objects(location: &S3Location, id: &str) -> Vec<String> {
    let client = bucket::client(location.endpoint.as_ref().unwrap().as_str().trim_end_matches('/')).await;
    let listed = client.list_objects_v2().bucket(&location.bucket).send().await.unwrap();
    let keys = listed.contents().iter().map(|object| object.key().unwrap().to_owned());
    let of_payload = |key: &String| key.contains(id) && (key.contains("/payload") || key.contains("/upload"));
    let uploads = client.list_multipart_uploads().bucket(&location.bucket).send().await.unwrap();
    let uploads = uploads.uploads().iter().map(|upload| format!("an upload of {}", upload.key().unwrap()));
    keys.filter(of_payload).chain(uploads).collect()
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_unfinished_uploads_are_swept() {
    let location = bucket::fresh().await;
    let service = Service::at(StorageLocation::S3(location.clone())).start().await;
    let sender = service.sender().await;
    let (by_parts, upload) = created(&sender, 17 * MIB, "").await;
    assert_eq!(put(&upload["parts"][0], &vec![7; 8 * MIB]).await, 200);
    let (by_bytes, upload) = created(&sender, 17 * MIB, "").await;
    let fallback = upload["fallback_url"].as_str().unwrap();
    assert_eq!(sender.post(fallback).bytes(&vec![7; 9 * MIB]).send().await.status, 200);
    let (whole, upload) = created(&sender, 3, "").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    for id in [&by_parts, &by_bytes, &whole] {
        assert!(!payload_objects(&location, id).await.is_empty());
    }
    service.advance_clock(Duration::from_hours(25));
    let (settings, _, clock) = service.stop().await;
    let swept = Server::open(settings, clock).await.unwrap().sweep().await.unwrap();
    assert_eq!((swept.payloads_removed, swept.failed), (3, 0), "{swept:?}");
    for id in [&by_parts, &by_bytes, &whole] {
        assert_eq!(payload_objects(&location, id).await, [""; 0]);
    }
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_vanished_multipart_upload_starts_again() {
    let location = bucket::fresh().await;
    let service = Service::at(StorageLocation::S3(location.clone())).start().await;
    let sender = service.sender().await;
    let payload = payload(17 * MIB);
    let (by_parts, upload) = created(&sender, payload.len(), "").await;
    assert_eq!(put(&upload["parts"][0], &payload[..8 * MIB]).await, 200);
    let (by_bytes, _) = created(&sender, payload.len(), "").await;
    let bytes = path(&by_bytes, "payload/upload-bytes");
    assert_eq!(sender.post(&bytes).bytes(&payload).send().await.number("received_bytes"), payload.len() as u64);

    // Aborts the multipart upload like a lifecycle rule or the owner of the bucket.
    let client = bucket::client(location.endpoint.as_ref().unwrap().as_str().trim_end_matches('/')).await;
    let uploads = client.list_multipart_uploads().bucket(&location.bucket).send().await.unwrap();
    for upload in uploads.uploads() {
        let abort = client.abort_multipart_upload().bucket(&location.bucket).key(upload.key().unwrap());
        abort.upload_id(upload.upload_id().unwrap()).send().await.unwrap();
    }
    assert_eq!(put(&upload["parts"][1], &payload[8 * MIB..16 * MIB]).await, 404);
    let fresh = sender.post(&path(&by_parts, "upload/create-presign-urls")).json("{}").send().await.json();
    for (part, content) in fresh["parts"].as_array().unwrap().iter().zip(payload.chunks(8 * MIB)) {
        assert_eq!(put(part, content).await, 200);
    }
    assert_eq!(complete(&sender, &by_parts).await.status, 200);
    assert!(download_payload(&service, &by_parts).await == payload);

    assert_eq!(complete(&sender, &by_bytes).await.check("upload_incomplete").number("received_bytes"), 0);
    assert_eq!(sender.post(&bytes).bytes(&payload).send().await.number("received_bytes"), payload.len() as u64);
    assert_eq!(complete(&sender, &by_bytes).await.status, 200);
    assert!(download_payload(&service, &by_bytes).await == payload);
}
