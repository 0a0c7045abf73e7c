//! Signed URLs: what they permit and when they expire.

use std::time::Duration;

use sgsend::domain::clock::{Clock, SystemClock};
use sgsend::domain::id::PayloadId;
use sgsend::domain::store::{SignedRequest, Store};
use sgsend::server::store::S3Store;

use super::{complete, created, download_payload, granted, path, put, send, signed};
use crate::support::{Service, bucket};

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_payloads_bypass_the_service() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let (id, upload) = created(&sender, 11, r#","max_downloads":1"#).await;
    assert_eq!(upload["kind"], "single");
    assert_eq!(upload["headers"]["content-type"], "application/octet-stream");
    assert_eq!(upload["headers"]["if-none-match"], "*");
    assert!(upload["headers"].get("content-length").is_none());
    complete(&sender, &id).await.check("upload_incomplete");
    assert_eq!(put(&upload, b"hello world").await, 200);
    let status = sender.get(&path(&id, "upload/status")).send().await;
    assert_eq!((status.text("kind").as_str(), status.number("received_bytes")), ("single", 11));
    let completed = complete(&sender, &id).await;
    assert_eq!((completed.status, completed.text("status").as_str()), (200, "completed"));
    let seen_by_others = &completed.json()["transparency"]["seen_by_others"];
    assert_eq!(seen_by_others[0]["code"], "storage_provider", "{seen_by_others}");

    let granted = granted(&service.public(), &id).await;
    assert_eq!((granted.text("mode").as_str(), granted.number("size_bytes")), ("presigned", 11));
    let soon = SystemClock.now().plus(Duration::from_mins(5)).as_millis();
    assert!((soon - 60_000..=soon).contains(&granted.number("url_expires_at")));
    let whole = send(signed(&granted.json())).await;
    assert_eq!((whole.status, &whole.body[..]), (200, &b"hello world"[..]));
    let part = send(signed(&granted.json()).header("range", "bytes=6-")).await;
    assert_eq!((part.status, &part.body[..]), (206, &b"world"[..]));
    // The same grant gives a fresh URL and is not counted; a second grant exceeds the download limit.
    let second = format!(r#"{{"grant":"{}"}}"#, granted.text("grant"));
    let fresh = service.public().post(&path(&id, "download/create-presign-url")).json(&second).send().await;
    assert_eq!(send(signed(&fresh.json())).await.status, 200);
    service.public().post(&path(&id, "download/create-presign-url")).expect_error("transfer_exhausted").await;
    assert_eq!(sender.status(&id).await.number("download_count"), 1);
    // The service is the fallback for clients that can't reach the store.
    let fallback = granted.text("fallback_url");
    let by_service = service.public().get(&fallback).header("x-sgsend-grant", &granted.text("grant")).send().await;
    assert_eq!(&by_service.body[..], b"hello world");
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_upload_url_accepts_only_its_payload() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let (id, upload) = created(&sender, 11, "").await;
    for body in [&b"hello"[..], b"", b"hello world, and more"] {
        assert_eq!(put(&upload, body).await, 403, "{} bytes were accepted", body.len());
    }
    let tampered = |from: &str, to: &str| {
        let mut upload = upload.clone();
        let url = upload["url"].as_str().unwrap();
        assert!(url.contains(from), "{url}");
        upload["url"] = url.replacen(from, to, 1).into();
        upload
    };
    let url = upload["url"].as_str().unwrap();
    assert!(!url.contains(&id), "{url} names the transfer");
    let payload = url.split_once("/payloads/p").unwrap().1.split_once('/').unwrap().0;
    let (payload, other) = (format!("/p{payload}/"), format!("/p{:0>32}/", 1));
    for changed in [
        tampered("X-Amz-Signature=", "X-Amz-Signature=0"),
        tampered("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        tampered(&payload, &other),
    ] {
        assert_eq!(put(&changed, b"hello world").await, 403, "{}", changed["url"]);
    }
    // The request lacks a signed header.
    let mut bare = upload.clone();
    bare["headers"].as_object_mut().unwrap().remove("if-none-match");
    assert_eq!(put(&bare, b"hello world").await, 403);
    complete(&sender, &id).await.check("upload_incomplete");
    assert_eq!(put(&upload, b"hello world").await, 200);
    assert_eq!(put(&upload, b"HELLO WORLD").await, 412);
    assert_eq!(complete(&sender, &id).await.status, 200);
    assert_eq!(put(&upload, b"HELLO WORLD").await, 412);
    assert_eq!(download_payload(&service, &id).await, &b"hello world"[..]);
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_expired_url_is_rejected() {
    let store = S3Store::open(&bucket::fresh().await).await;
    let store = store.presigner().unwrap();
    let (id, other) = (PayloadId::random(), PayloadId::random());
    let described = |signed: SignedRequest| serde_json::json!({"method": signed.method, "url": signed.url, "headers": signed.headers});
    let long = described(store.put(id, 3, Duration::from_mins(1)).await.unwrap());
    assert_eq!(put(&long, b"abc").await, 200);
    let short = described(store.put(other, 3, Duration::from_secs(1)).await.unwrap());
    let download = described(store.get(id, Duration::from_secs(1)).await.unwrap());
    let expired = async {
        while send(signed(&download)).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), expired).await.unwrap();
    assert_eq!(send(signed(&download)).await.status, 403);
    // The upload URL has the same lifetime and was signed earlier.
    assert_eq!(put(&short, b"abc").await, 403);
    let second = described(store.get(id, Duration::from_mins(1)).await.unwrap());
    assert_eq!(&send(signed(&second)).await.body[..], b"abc");
}
