//! Downloads: grants, limits, access proofs, ranges.

use std::time::Duration;

use serde_json::Value;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::proof::{AccessProof, Grant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Api, Service, Started, eventually};

fn bytes_path(id: &str) -> String {
    format!("/transfers/id/{id}/payload/download-bytes")
}

fn grant_path(id: &str) -> String {
    format!("/transfers/id/{id}/download/create-presign-url")
}

fn grant_body(grant: &Grant) -> String {
    format!(r#"{{"grant":"{}"}}"#, *grant.to_text())
}

async fn count(api: &Api, id: &str) -> u64 {
    api.status(id).await.number("download_count")
}

#[tokio::test]
async fn the_download_limit_is_exact_under_concurrency() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        for limit in [1, 7, 49] {
            let id = sender.send_payload(b"abc", &format!(r#""max_downloads":{limit}"#)).await;
            let mut asking = tokio::task::JoinSet::new();
            for number in 0..50 {
                let (anyone, id) = (service.public(), id.clone());
                asking.spawn(async move {
                    // Half of the clients request a grant, half download directly.
                    let path = if number % 2 == 0 { grant_path(&id) } else { bytes_path(&id) };
                    let method = if number % 2 == 0 { "POST" } else { "GET" };
                    let response = anyone.request(method, &path).send().await;
                    assert!(response.status == 200 || response.code() == "transfer_exhausted", "{response:?}");
                    usize::from(response.status == 200)
                });
            }
            let granted: usize = asking.join_all().await.into_iter().sum();
            assert_eq!(granted, limit);
            let status = sender.status(&id).await;
            assert_eq!(status.number("download_count"), limit as u64);
            assert_eq!((status.text("status").as_str(), status.number("downloads_remaining")), ("exhausted", 0));
        }
    }
}

#[tokio::test]
async fn a_grant_covers_ranges_and_retries() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let id = sender.send_payload(b"0123456789", r#""max_downloads":1"#).await;
        let anyone = service.public();
        let grant = Grant::random();
        let granted = anyone.post(&grant_path(&id)).json(&grant_body(&grant)).send().await;
        assert_eq!(granted.text("grant"), *grant.to_text());
        let get = || anyone.get(&bytes_path(&id)).header("x-sgsend-grant", &grant.to_text());
        for (range, status, body) in [("bytes=0-3", 206, "0123"), ("bytes=4-", 206, "456789"), ("bytes=-1", 206, "9")] {
            let part = get().header("range", range).send().await;
            assert_eq!((part.status, &part.body[..]), (status, body.as_bytes()));
            assert_eq!(part.header("content-length"), body.len().to_string());
        }
        for (range, wanted) in [("bytes=4-5", "bytes 4-5/10"), ("bytes=0-", "bytes 0-9/10")] {
            let part = get().header("range", range).send().await;
            assert_eq!((part.status, part.header("content-range")), (206, wanted));
        }
        assert_eq!(&get().send().await.body[..], b"0123456789");
        assert_eq!(count(&sender, &id).await, 1);
        // A different grant is a second download.
        anyone.post(&grant_path(&id)).json(&grant_body(&Grant::random())).expect_error("transfer_exhausted").await;
        anyone.get(&bytes_path(&id)).expect_error("transfer_exhausted").await;
    }
}

#[tokio::test]
async fn a_download_without_a_grant_receives_one() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        for members in ["", r#""max_downloads":5"#] {
            let id = sender.send_payload(b"0123456789", members).await;
            let first = service.public().get(&bytes_path(&id)).header("range", "bytes=0-3").send().await;
            assert_eq!((first.status, &first.body[..]), (206, &b"0123"[..]));
            let grant = first.header("x-sgsend-grant").to_owned();
            let rest = service.public().get(&bytes_path(&id)).header("x-sgsend-grant", &grant);
            let rest = rest.header("range", "bytes=4-").header("if-range", first.header("etag")).send().await;
            assert_eq!((rest.status, &rest.body[..]), (206, &b"456789"[..]));
            assert!(!rest.headers.contains_key("x-sgsend-grant"));
            // The download counter of an unlimited transfer may lag one second.
            eventually(|| async { (count(&sender, &id).await == 1).then_some(()) }).await;
        }
    }
}

#[tokio::test]
async fn requests_without_payload_bytes_are_not_counted() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"0123456789", r#""max_downloads":1"#).await;
    let anyone = service.public();
    let head = anyone.request("HEAD", &bytes_path(&id)).send().await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "10", 0));
    assert_eq!(head.header("accept-ranges"), "bytes");
    let etag = head.header("etag").to_owned();
    let get = || anyone.get(&bytes_path(&id));
    assert_eq!(get().header("if-none-match", &etag).send().await.status, 304);
    assert_eq!(get().header("if-match", "\"other\"").send().await.status, 412);
    let outside = get().header("range", "bytes=10-").expect_error("range_not_satisfiable").await;
    assert_eq!(outside.header("content-range"), "bytes */10");
    // Ranges are defined for GET only (RFC 9110, section 14.2).
    let head = anyone.request("HEAD", &bytes_path(&id)).header("range", "bytes=10-").send().await;
    assert_eq!((head.status, head.header("content-length")), (200, "10"));
    assert_eq!(count(&sender, &id).await, 0);
    let several = get().header("range", "bytes=0-1,4-5").send().await;
    assert_eq!((several.status, several.body.len()), (200, 10));
}

#[tokio::test]
async fn an_unreadable_payload_is_not_counted() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", r#""max_downloads":1"#).await;
    let payload = service.payload_file(&id);
    let aside = payload.with_extension("aside");
    std::fs::rename(&payload, &aside).unwrap();
    service.public().get(&bytes_path(&id)).expect_error("storage_unavailable").await;
    assert_eq!(count(&sender, &id).await, 0);
    std::fs::rename(&aside, &payload).unwrap();
    assert_eq!(&service.public().get(&bytes_path(&id)).send().await.body[..], b"abc");
}

#[tokio::test]
async fn unknown_and_expired_grants_are_rejected() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        for members in ["", r#""max_downloads":5"#] {
            let id = sender.send_payload(b"abc", members).await;
            let anyone = service.public();
            let grant = Grant::random();
            let get = |grant: &Grant| anyone.get(&bytes_path(&id)).header("x-sgsend-grant", &grant.to_text());
            get(&grant).expect_error("grant_invalid").await;
            anyone.get(&format!("{}?grant={}", bytes_path(&id), *grant.to_text())).expect_error("grant_invalid").await;
            anyone.get(&bytes_path(&id)).header("x-sgsend-grant", "short").expect_error("invalid_request").await;
            anyone.post(&grant_path(&id)).json(r#"{"grant":"short"}"#).expect_error("invalid_request").await;
            anyone.post(&grant_path(&id)).json(&grant_body(&grant)).send().await;
            assert_eq!(get(&grant).send().await.status, 200);
            service.advance_clock(Duration::from_hours(1));
            get(&grant).expect_error("grant_expired").await;
            anyone.post(&grant_path(&id)).json(&grant_body(&grant)).expect_error("grant_expired").await;
            // The download counter of an unlimited transfer may lag one second.
            eventually(|| async { (count(&sender, &id).await == 1).then_some(()) }).await;
        }
    }
}

#[tokio::test]
async fn a_grant_never_outlives_its_transfer() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", r#""expires_in_s":60"#).await;
    let granted = service.public().post(&grant_path(&id)).send().await;
    assert_eq!(granted.number("grant_expires_at"), sender.status(&id).await.number("expires_at"));
    let get = || service.public().get(&bytes_path(&id)).header("x-sgsend-grant", &granted.text("grant"));
    assert_eq!(get().send().await.status, 200);
    sender.post(&format!("/transfers/id/{id}/delete")).send().await;
    get().expect_error("transfer_deleted").await;
}

#[tokio::test]
async fn without_the_access_proof_an_id_gives_no_bytes() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let proof = AccessProof::of(&PayloadKey::random());
        let wrong = AccessProof::of(&PayloadKey::random());
        let members = format!(r#""access_sha256":"{}","max_downloads":2"#, proof.digest());
        let id = sender.send_payload(b"abc", &members).await;
        assert_eq!(sender.status(&id).await.json()["access_proof"], true);
        let anyone = service.public();
        for (method, path, body) in [
            ("POST", grant_path(&id), "{}"),
            ("GET", bytes_path(&id), ""),
            ("POST", format!("/transfers/id/{id}/events/add"), r#"{"kind":"link_opened"}"#),
        ] {
            let request = || anyone.request(method, &path).json(body);
            request().expect_error("access_required").await;
            request().header("x-sgsend-access", &wrong.to_text()).expect_error("access_invalid").await;
            request().header("x-sgsend-access", "short").expect_error("invalid_request").await;
        }
        let head = || anyone.request("HEAD", &bytes_path(&id));
        assert_eq!(head().send().await.status, 401);
        assert_eq!(head().header("x-sgsend-access", &wrong.to_text()).send().await.status, 403);
        assert_eq!(head().header("x-sgsend-access", &proof.to_text()).send().await.status, 200);
        assert_eq!(count(&sender, &id).await, 0);

        let granted = anyone.post(&grant_path(&id)).header("x-sgsend-access", &proof.to_text()).send().await;
        let grant = granted.text("grant");
        // A live grant replaces the access proof, for downloads and for events.
        assert_eq!(anyone.get(&bytes_path(&id)).header("x-sgsend-grant", &grant).send().await.status, 200);
        let second = anyone.post(&grant_path(&id)).json(&format!(r#"{{"grant":"{grant}"}}"#)).send().await;
        assert_eq!(second.status, 200);
        let event = anyone.post(&format!("/transfers/id/{id}/events/add")).header("x-sgsend-grant", &grant);
        assert_eq!(event.json(r#"{"kind":"decrypt_succeeded"}"#).send().await.status, 201);
        assert_eq!(count(&sender, &id).await, 1);
    }
}

#[tokio::test]
async fn a_payload_response_switches_off_buffering_and_caching() {
    let service = Service::any().start().await;
    let id = service.sender().await.send_payload(b"payload", "").await;
    for (method, range) in [("GET", ""), ("GET", "bytes=1-2"), ("HEAD", "")] {
        let request = service.public().request(method, &format!("/transfers/id/{id}/payload/download-bytes"));
        let request = if range.is_empty() { request } else { request.header("range", range) };
        let response = request.send().await;
        assert_eq!(response.header("x-accel-buffering"), "no", "{method} {range}");
        assert_eq!(response.header("cache-control"), "no-store", "{method} {range}");
    }
}

/// Starts a download of `size` bytes over a connection with small buffers, and reads its first bytes.
async fn start_download(service: &Started, size: usize) -> (String, TcpStream) {
    let id = service.sender().await.send_payload(&vec![7; size], "").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(service.public).await.unwrap();
    let request =
        format!("GET /transfers/id/{id}/payload/download-bytes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    (id, stream)
}

#[tokio::test]
async fn a_download_may_pause_within_its_own_limit() {
    const SIZE: usize = 30_000_000;
    let service = Service::any().with(|settings| {
        settings.timeouts.stall = Duration::from_millis(100);
        settings.timeouts.response_stall = Some(Duration::from_mins(1));
    });
    let service = service.start().await;
    let (_, mut stream) = start_download(&service, SIZE).await;
    // A client that limits its rate reads nothing for a while.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() >= SIZE && rest.ends_with(&[7; 1000]), "{} bytes arrived", rest.len());
}

#[tokio::test]
async fn a_download_that_is_never_read_on_ends() {
    const SIZE: usize = 30_000_000;
    let service = Service::any().with(|settings| settings.timeouts.response_stall = Some(Duration::from_millis(300)));
    let service = service.start().await;
    let (id, mut stream) = start_download(&service, SIZE).await;
    // The record of a download is written at its end.
    eventually(|| async {
        // Each look adds two records to the page.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let trail = service.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await;
        let is_end = |record: &Value| {
            let is_download = record["route"].as_str().is_some_and(|route| route.ends_with("/download-bytes"));
            is_download && record["bytes_out"].is_u64()
        };
        trail.items().iter().any(is_end).then_some(())
    })
    .await;
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest).await);
    assert!(rest.len() < SIZE, "the whole payload arrived");
}
