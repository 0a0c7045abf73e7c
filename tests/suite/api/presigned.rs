//! Presigned flow: payloads go directly between client and store by signed requests, with the service as fallback.

use std::time::Duration;

use serde_json::Value;
use sgsend::domain::clock::{Clock, SystemClock};
use sgsend::domain::id::TransferId;
use sgsend::domain::store::{SignedRequest, Store};
use sgsend::server::store::{S3Location, S3Store};
use sgsend::server::{Server, StorageLocation};

use crate::support::{Answer, Api, Service, Started, bucket};

const MIB: usize = 1 << 20;

/// Response of the store to a signed request.
struct Stored {
    status: u16,
    body: bytes::Bytes,
}

async fn send(request: reqwest::RequestBuilder) -> Stored {
    let response = request.send().await.unwrap();
    Stored { status: response.status().as_u16(), body: response.bytes().await.unwrap() }
}

/// Builds the signed request that a response describes.
fn signed(described: &Value) -> reqwest::RequestBuilder {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let method = described["method"].as_str().unwrap().parse().unwrap();
    let mut request = client.request(method, described["url"].as_str().unwrap());
    for (name, value) in described["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap());
    }
    request
}

async fn put(described: &Value, body: &[u8]) -> u16 {
    send(signed(described).body(body.to_vec())).await.status
}

fn path(id: &str, verb: &str) -> String {
    format!("/transfers/id/{id}/{verb}")
}

async fn created(sender: &Api, size: usize, members: &str) -> (String, Value) {
    let created = sender.post("/transfers/create").json(&format!(r#"{{"size_bytes":{size}{members}}}"#)).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    (created.text("transfer_id"), created.json()["upload"].clone())
}

async fn complete(sender: &Api, id: &str) -> Answer {
    sender.post(&path(id, "upload/complete")).send().await
}

async fn granted(anyone: &Api, id: &str) -> Answer {
    anyone.post(&path(id, "download/create-presign-url")).send().await
}

/// Downloads the payload like a recipient.
async fn fetched(service: &Started, id: &str) -> bytes::Bytes {
    let granted = granted(&service.public(), id).await;
    assert_eq!((granted.status, granted.text("mode").as_str()), (200, "presigned"));
    let stored = send(signed(&granted.json())).await;
    assert_eq!(stored.status, 200);
    stored.body
}

fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|at| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[5]).collect()
}

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
    let seen = &completed.json()["transparency"]["seen_by_others"];
    assert!(seen[0].as_str().unwrap().contains("storage provider"), "{seen}");

    let granted = granted(&service.public(), &id).await;
    assert_eq!((granted.text("mode").as_str(), granted.number("size_bytes")), ("presigned", 11));
    let soon = SystemClock.now().plus(Duration::from_mins(5)).as_millis();
    assert!((soon - 60_000..=soon).contains(&granted.number("url_expires_at")));
    let whole = send(signed(&granted.json())).await;
    assert_eq!((whole.status, &whole.body[..]), (200, &b"hello world"[..]));
    let part = send(signed(&granted.json()).header("range", "bytes=6-")).await;
    assert_eq!((part.status, &part.body[..]), (206, &b"world"[..]));
    // The same grant gives a fresh URL and is not counted; a second grant exceeds the download limit.
    let again = format!(r#"{{"grant":"{}"}}"#, granted.text("grant"));
    let fresh = service.public().post(&path(&id, "download/create-presign-url")).json(&again).send().await;
    assert_eq!(send(signed(&fresh.json())).await.status, 200);
    service.public().post(&path(&id, "download/create-presign-url")).refused("transfer_exhausted").await;
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
    let other = format!("/{:0>32}/", 1);
    for changed in [
        tampered("X-Amz-Signature=", "X-Amz-Signature=0"),
        tampered("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        tampered(&format!("/{id}/"), &other),
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
    assert_eq!(fetched(&service, &id).await, &b"hello world"[..]);
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_expired_url_is_refused() {
    let store = S3Store::open(&bucket::fresh().await).await;
    let store = store.presigner().unwrap();
    let (id, other) = (TransferId::random(), TransferId::random());
    let described = |signed: SignedRequest| serde_json::json!({"method": signed.method, "url": signed.url, "headers": signed.headers});
    let long = described(store.put(id, 3, Duration::from_mins(1)).await.unwrap());
    assert_eq!(put(&long, b"abc").await, 200);
    let short = described(store.put(other, 3, Duration::from_secs(1)).await.unwrap());
    let fetch = described(store.get(id, Duration::from_secs(1)).await.unwrap());
    let expired = async {
        while send(signed(&fetch)).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), expired).await.unwrap();
    assert_eq!(send(signed(&fetch)).await.status, 403);
    // The upload URL has the same lifetime and was signed earlier.
    assert_eq!(put(&short, b"abc").await, 403);
    let again = described(store.get(id, Duration::from_mins(1)).await.unwrap());
    assert_eq!(&send(signed(&again)).await.body[..], b"abc");
}

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
        ask(refused).refused("invalid_request").await;
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
    ask("[1]").refused("transfer_not_pending").await;
    assert!(fetched(&service, &id).await == payload);
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_upload_uses_a_single_flow() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let payload = payload(17 * MIB);
    // Upload through the service while the store has received nothing.
    let (id, upload) = created(&sender, payload.len(), "").await;
    let fallback = upload["fallback_url"].as_str().unwrap().to_owned();
    let sent = sender.post(&fallback).bytes(&payload[..MIB]).send().await;
    assert_eq!(sent.number("received_bytes"), MIB as u64);
    sender.post(&path(&id, "upload/create-presign-urls")).json(r#"{"numbers":[1]}"#).refused("wrong_mode").await;
    // Parts uploaded with an old URL don't count.
    assert_eq!(put(&upload["parts"][0], &payload[..8 * MIB]).await, 200);
    let status = sender.get(&path(&id, "upload/status")).send().await;
    assert_eq!((status.text("kind").as_str(), status.number("received_bytes")), ("bytes", MIB as u64));
    let rest = sender.post(&format!("{fallback}?offset={MIB}")).bytes(&payload[MIB..]).send().await;
    assert_eq!(rest.number("received_bytes"), payload.len() as u64);
    let completed = complete(&sender, &id).await;
    assert_eq!(completed.json()["transparency"]["seen_by_others"], serde_json::json!([]));
    assert_eq!(put(&upload["parts"][0], &payload[..8 * MIB]).await, 404);
    assert!(fetched(&service, &id).await == payload);

    // No upload through the service once the store has a part.
    let (id, upload) = created(&sender, payload.len(), "").await;
    assert_eq!(put(&upload["parts"][1], &payload[8 * MIB..16 * MIB]).await, 200);
    sender.post(&path(&id, "payload/upload-bytes")).bytes(b"abc").refused("wrong_mode").await;
    let (id, upload) = created(&sender, 3, "").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    sender.post(&path(&id, "payload/upload-bytes")).bytes(b"abc").refused("wrong_mode").await;
    assert_eq!(complete(&sender, &id).await.status, 200);
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_the_bytes_fallback_can_be_disabled() {
    let service = Service::any().with(|settings| settings.bytes_fallback = false).start().await;
    let sender = service.sender().await;
    let (id, upload) = created(&sender, 3, r#","max_downloads":5"#).await;
    assert!(upload.get("fallback_url").is_none());
    sender.post(&path(&id, "payload/upload-bytes")).bytes(b"abc").refused("wrong_mode").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);
    let anyone = service.public();
    assert_eq!(anyone.request("HEAD", &path(&id, "payload/download-bytes")).send().await.status, 200);
    anyone.get(&path(&id, "payload/download-bytes")).refused("wrong_mode").await;
    let granted = granted(&anyone, &id).await;
    assert!(granted.json().get("fallback_url").is_none());
    assert_eq!(sender.status(&id).await.number("download_count"), 1);
}

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
    // The download URL is valid, but the object is gone.
    assert_eq!(send(signed(&granted.json())).await.status, 404);
    // A valid upload URL can restore the object, but the service no longer serves it.
    assert_eq!(put(&upload, b"abc").await, 200);
    service.public().get(&path(&id, "payload/download-bytes")).refused("transfer_deleted").await;
    service.public().post(&path(&id, "download/create-presign-url")).refused("transfer_deleted").await;
    // A deleted multipart upload accepts no parts.
    let (id, upload) = created(&sender, 17 * MIB, "").await;
    let content = vec![7; 8 * MIB];
    assert_eq!(put(&upload["parts"][0], &content).await, 200);
    assert_eq!(sender.post(&path(&id, "delete")).send().await.status, 200);
    assert_eq!(put(&upload["parts"][1], &content).await, 404);
}

/// Lists the payload objects and open multipart uploads of transfer `id` in the bucket, without its records.
async fn kept(location: &S3Location, id: &str) -> Vec<String> {
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
        assert!(!kept(&location, id).await.is_empty());
    }
    service.wait(Duration::from_hours(25));
    let (settings, _, clock) = service.stop().await;
    let swept = Server::open(settings, clock).await.unwrap().sweep().await.unwrap();
    assert_eq!((swept.payloads_removed, swept.failed), (3, 0), "{swept:?}");
    for id in [&by_parts, &by_bytes, &whole] {
        assert_eq!(kept(&location, id).await, [""; 0]);
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
    assert!(fetched(&service, &by_parts).await == payload);

    assert_eq!(complete(&sender, &by_bytes).await.check("upload_incomplete").number("received_bytes"), 0);
    assert_eq!(sender.post(&bytes).bytes(&payload).send().await.number("received_bytes"), payload.len() as u64);
    assert_eq!(complete(&sender, &by_bytes).await.status, 200);
    assert!(fetched(&service, &by_bytes).await == payload);
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_both_flows_enforce_the_same_policy() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let proof = sgsend::domain::crypto::proof::AccessProof::of(&sgsend::domain::crypto::key::PayloadKey::random());
    let (id, upload) = created(&sender, 3, &format!(r#","access_sha256":"{}""#, proof.digest())).await;
    let anyone = service.public();
    anyone.post(&path(&id, "download/create-presign-url")).refused("access_required").await;
    assert_eq!(put(&upload, b"abc").await, 200);
    let with_proof =
        |proof: &str| anyone.post(&path(&id, "download/create-presign-url")).header("x-sgsend-access", proof);
    with_proof(&proof.to_text()).refused("not_completed").await;
    assert_eq!(complete(&sender, &id).await.status, 200);
    with_proof(&"0".repeat(64)).refused("access_invalid").await;
    assert_eq!(with_proof(&proof.to_text()).send().await.text("mode"), "presigned");
    // Only the creating token may upload to a transfer.
    let stranger = service.sender().await;
    stranger.post(&path(&id, "upload/create-presign-urls")).refused("not_your_transfer").await;
    service.public().post(&path(&id, "upload/create-presign-urls")).refused("token_missing").await;
    service.wait(Duration::from_hours(8 * 24));
    with_proof(&proof.to_text()).refused("transfer_expired").await;
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
        let asked = format!(r#"{{"numbers":[{number}]}}"#);
        let at = if number == 2 { &sender } else { &at_other };
        let fresh = at.post(&path(&id, "upload/create-presign-urls")).json(&asked).send().await;
        assert_eq!(put(&fresh.json()["parts"][0], content).await, 200);
    }
    assert_eq!(complete(&at_other, &id).await.status, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);

    let mut asking = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (anyone, id) = (if number % 2 == 0 { one.public() } else { other.public() }, id.clone());
        asking.spawn(async move {
            let answer = granted(&anyone, &id).await;
            assert!(answer.status == 200 || answer.code() == "transfer_exhausted", "{answer:?}");
            usize::from(answer.status == 200)
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

    use crate::support::{Fate, Faulty};

    let mut location = bucket::fresh().await;
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let judge = move |_: &axum::extract::Request| {
        if is_gone.load(Ordering::Relaxed) { Fate::Refused(503) } else { Fate::Passed }
    };
    let faulty = Faulty::before(location.endpoint.as_ref().unwrap().as_str(), judge).await;
    location.endpoint = Some(faulty.url.clone());
    let service = Service::at(StorageLocation::S3(location)).start().await;
    let sender = service.sender().await;
    let (id, upload) = created(&sender, 3, "").await;
    gone.store(true, Ordering::Relaxed);
    let refused = service.public().get(&path(&id, "status")).refused("storage_unavailable").await;
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    service.public().get("/health/ready").refused("storage_unavailable").await;
    let told = String::from_utf8_lossy(&refused.body).to_lowercase();
    for word in ["s3", "bucket", "amz", "127.0.0.1"] {
        assert!(!told.contains(word), "the response contains {word}: {told}");
    }
    assert_eq!(put(&upload, b"abc").await, 503);
    gone.store(false, Ordering::Relaxed);
    assert_eq!(put(&upload, b"abc").await, 200);
    assert_eq!(complete(&sender, &id).await.status, 200);
}
