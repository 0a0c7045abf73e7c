//! Presigned flow and bytes fallback: one of them per upload, with the same policy.

use std::time::Duration;

use super::{MIB, complete, created, download_payload, granted, path, payload, put};
use crate::support::Service;

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_upload_uses_a_single_flow() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let payload = payload(17 * MIB);
    // Upload through the service while the store has received nothing.
    let (id, upload) = created(&sender, payload.len(), "").await;
    let fallback = upload["fallback_url"].as_str().unwrap().to_owned();
    let response = sender.post(&fallback).bytes(&payload[..MIB]).send().await;
    assert_eq!(response.number("received_bytes"), MIB as u64);
    sender.post(&path(&id, "upload/create-presign-urls")).json(r#"{"numbers":[1]}"#).expect_error("wrong_mode").await;
    // Parts uploaded with an old URL don't count.
    assert_eq!(put(&upload["parts"][0], &payload[..8 * MIB]).await, 200);
    let status = sender.get(&path(&id, "upload/status")).send().await;
    assert_eq!((status.text("kind").as_str(), status.number("received_bytes")), ("bytes", MIB as u64));
    let rest = sender.post(&format!("{fallback}?offset={MIB}")).bytes(&payload[MIB..]).send().await;
    assert_eq!(rest.number("received_bytes"), payload.len() as u64);
    let completed = complete(&sender, &id).await;
    assert_eq!(completed.json()["transparency"]["seen_by_others"], serde_json::json!([]));
    assert_eq!(put(&upload["parts"][0], &payload[..8 * MIB]).await, 404);
    assert!(download_payload(&service, &id).await == payload);

    // No upload through the service once the store has a part.
    let (id, upload) = created(&sender, payload.len(), "").await;
    assert_eq!(put(&upload["parts"][1], &payload[8 * MIB..16 * MIB]).await, 200);
    sender.post(&path(&id, "payload/upload-bytes")).bytes(b"abc").expect_error("wrong_mode").await;
    let (id, upload) = created(&sender, 3, "").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    sender.post(&path(&id, "payload/upload-bytes")).bytes(b"abc").expect_error("wrong_mode").await;
    assert_eq!(complete(&sender, &id).await.status, 200);
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_the_bytes_fallback_can_be_disabled() {
    let service = Service::any().with(|settings| settings.bytes_fallback = false).start().await;
    let sender = service.sender().await;
    let (id, upload) = created(&sender, 3, r#","max_downloads":5"#).await;
    assert!(upload.get("fallback_url").is_none());
    sender.post(&path(&id, "payload/upload-bytes")).bytes(b"abc").expect_error("wrong_mode").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);
    let anyone = service.public();
    assert_eq!(anyone.request("HEAD", &path(&id, "payload/download-bytes")).send().await.status, 200);
    anyone.get(&path(&id, "payload/download-bytes")).expect_error("wrong_mode").await;
    let granted = granted(&anyone, &id).await;
    assert!(granted.json().get("fallback_url").is_none());
    assert_eq!(sender.status(&id).await.number("download_count"), 1);
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_both_flows_enforce_the_same_policy() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let proof = sgsend::domain::crypto::proof::AccessProof::of(&sgsend::domain::crypto::key::PayloadKey::random());
    let (id, upload) = created(&sender, 3, &format!(r#","access_sha256":"{}""#, proof.digest())).await;
    let anyone = service.public();
    // The state is checked before the proof.
    anyone.post(&path(&id, "download/create-presign-url")).expect_error("not_completed").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    let with_proof =
        |proof: &str| anyone.post(&path(&id, "download/create-presign-url")).header("x-sgsend-access", proof);
    with_proof(&proof.to_text()).expect_error("not_completed").await;
    assert_eq!(complete(&sender, &id).await.status, 200);
    anyone.post(&path(&id, "download/create-presign-url")).expect_error("access_required").await;
    with_proof(&"0".repeat(64)).expect_error("access_invalid").await;
    assert_eq!(with_proof(&proof.to_text()).send().await.text("mode"), "presigned");
    // Only the creating token may upload to a transfer.
    let stranger = service.sender().await;
    stranger.post(&path(&id, "upload/create-presign-urls")).expect_error("not_your_transfer").await;
    service.public().post(&path(&id, "upload/create-presign-urls")).expect_error("token_missing").await;
    service.advance_clock(Duration::from_hours(8 * 24));
    with_proof(&proof.to_text()).expect_error("transfer_expired").await;
}
