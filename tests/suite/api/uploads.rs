//! Payload uploads: sizes, offsets, and incomplete bodies.

use std::time::Duration;

use sgsend::domain::crypto::sealed::sealed_size;
use sgsend::domain::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Api, Service, eventually, start_partial_upload, wait_for_writer};

fn upload_path(id: &str) -> String {
    format!("/transfers/id/{id}/payload/upload-bytes")
}

async fn received(sender: &Api, id: &str) -> u64 {
    let status = sender.get(&format!("/transfers/id/{id}/upload/status")).send().await;
    assert_eq!(status.status, 200, "{status:?}");
    status.number("received_bytes")
}

#[tokio::test]
async fn the_largest_payload_is_accepted_and_one_byte_more_is_not() {
    let limits = Limits::with_max_content(1_000).unwrap();
    let largest = limits.max_payload_bytes();
    // The largest content and envelope have 66 547 bytes, which are padded.
    assert_eq!(largest, sealed_size(67_584));
    for service in Service::each() {
        let service = service.with(|settings| settings.limits = limits).start().await;
        let sender = service.sender().await;
        let health = service.public().get("/health").send().await;
        assert_eq!(health.json()["limits"]["max_content_bytes"], 1_000);
        assert_eq!(health.json()["limits"]["max_payload_bytes"], largest);
        let body = format!(r#"{{"size_bytes":{}}}"#, largest + 1);
        let response = sender.post("/transfers/create").json(&body).expect_error("payload_too_large").await;
        assert_eq!(response.number("limit_bytes"), largest);

        let payload = vec![7; usize::try_from(largest).unwrap()];
        let over = [payload.as_slice(), b"!"].concat();
        let id = sender.create(payload.len(), "").await;
        let response = sender.post(&upload_path(&id)).bytes(&over).expect_error("payload_too_large").await;
        assert_eq!(response.number("limit_bytes"), largest);
        assert_eq!(received(&sender, &id).await, 0);
        sender.post(&upload_path(&id)).chunked(&over).expect_error("payload_too_large").await;
        assert_eq!(received(&sender, &id).await, 0, "bytes of an oversized body were kept");
        assert_eq!(sender.post(&upload_path(&id)).chunked(&payload).send().await.number("received_bytes"), largest);
        assert_eq!(sender.post(&format!("/transfers/id/{id}/upload/complete")).send().await.status, 200);
    }
}

#[tokio::test]
async fn an_upload_resumes_exactly_at_its_offset() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let id = sender.create(6, "").await;
        let at = |offset: u64| sender.post(&format!("{}?offset={offset}", upload_path(&id)));
        assert_eq!(at(1).bytes(b"x").expect_error("offset_mismatch").await.number("received_bytes"), 0);
        assert_eq!(at(0).bytes(b"ab").send().await.number("received_bytes"), 2);
        for offset in [0, 1, 3, 7, u64::MAX] {
            let response = at(offset).bytes(b"x").expect_error("offset_mismatch").await;
            assert_eq!(response.number("received_bytes"), 2);
        }
        let response = at(2).bytes(b"cdefg").expect_error("payload_too_large").await;
        assert_eq!(response.number("limit_bytes"), 6);
        at(2).chunked(b"cdefg").expect_error("payload_too_large").await;
        assert_eq!(received(&sender, &id).await, 2, "an oversized body removed earlier bytes");
        let complete = || sender.post(&format!("/transfers/id/{id}/upload/complete"));
        assert_eq!(complete().expect_error("upload_incomplete").await.number("received_bytes"), 2);
        assert_eq!(at(2).bytes(b"").send().await.number("received_bytes"), 2);
        assert_eq!(at(2).bytes(b"cdef").send().await.number("received_bytes"), 6);
        assert_eq!(at(6).bytes(b"").send().await.number("received_bytes"), 6);
        assert_eq!(complete().send().await.status, 200);
        let downloaded = sender.get(&format!("/transfers/id/{id}/payload/download-bytes")).send().await;
        assert_eq!(&downloaded.body[..], b"abcdef");
        for query in ["offset=", "offset=-1", "offset=x", "start=0"] {
            let id = sender.create(6, "").await;
            sender.post(&format!("{}?{query}", upload_path(&id))).bytes(b"x").expect_error("invalid_request").await;
        }
    }
}

#[tokio::test]
async fn bytes_received_before_a_disconnect_are_kept() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let id = sender.create(10, "").await;
        let stream = start_partial_upload(&service, &sender, &id, 10, b"abcd").await;
        drop(stream);
        // The server notices the broken connection after a delay.
        let rest = eventually(|| async {
            let rest = sender.post(&format!("{}?offset=4", upload_path(&id))).bytes(b"efghij").send().await;
            (rest.status == 200).then_some(rest)
        });
        let rest = rest.await;
        assert_eq!(rest.number("received_bytes"), 10);
    }
}

#[tokio::test]
async fn one_writer_at_a_time() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let id = sender.create(10, "").await;
        let mut first = start_partial_upload(&service, &sender, &id, 10, b"abcd").await;
        wait_for_writer(&sender, &id).await;
        sender.post(&format!("/transfers/id/{id}/upload/complete")).expect_error("upload_in_progress").await;
        first.write_all(b"efghij").await.unwrap();
        let mut response = [0; 12];
        first.read_exact(&mut response).await.unwrap();
        assert_eq!(&response, b"HTTP/1.1 200");
        assert_eq!(received(&sender, &id).await, 10);
    }
}

#[tokio::test]
async fn a_silent_writer_loses_its_lease() {
    let service = Service::any().with(|settings| settings.timeouts.stall = Duration::from_millis(100));
    let service = service.start().await;
    let sender = service.sender().await;
    let id = sender.create(10, "").await;
    let mut silent = start_partial_upload(&service, &sender, &id, 10, b"abcd").await;
    let mut response = [0; 12];
    silent.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 408");
    assert_eq!(received(&sender, &id).await, 4);
}

#[tokio::test]
async fn a_slow_writer_loses_its_lease() {
    let service = Service::any().with(|settings| {
        settings.timeouts.stall = Duration::from_millis(200);
        settings.timeouts.min_rate = 1_000_000;
    });
    let service = service.start().await;
    let sender = service.sender().await;
    let id = sender.create(1_000_000, "").await;
    let mut trickling = start_partial_upload(&service, &sender, &id, 1_000_000, b"abcd").await;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut response = [0; 12];
    let answered = loop {
        tokio::select! {
            read = trickling.read_exact(&mut response) => break read,
            _ = ticks.tick() => {}
        }
        // The writer pauses only briefly, but stays slow. Writing fails once the server has responded.
        let _ = trickling.write_all(b"x").await;
    };
    answered.unwrap();
    assert_eq!(&response, b"HTTP/1.1 408");
}

#[tokio::test]
async fn an_early_response_arrives_while_the_client_still_sends() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.create(10, "").await;
    // 4 MiB beyond the declared size: the server refuses at once, and drains the rest.
    let body = vec![0; 4 * 1024 * 1024];
    sender.post(&upload_path(&id)).bytes(&body).expect_error("payload_too_large").await;
    service.public().post("/transfers/create").bytes(&body).expect_error("token_missing").await;
    sender.post("/transfers/create").bytes(&body).expect_error("payload_too_large").await;
}

#[tokio::test]
async fn an_upload_reports_a_transfer_deleted_meanwhile() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let id = sender.create(10, "").await;
        let mut stream = start_partial_upload(&service, &sender, &id, 10, b"abcd").await;
        wait_for_writer(&sender, &id).await;
        sender.post(&format!("/transfers/id/{id}/delete")).send().await;
        stream.write_all(b"efghij").await.unwrap();
        let mut response = [0; 12];
        stream.read_exact(&mut response).await.unwrap();
        assert_eq!(&response, b"HTTP/1.1 410");
        assert_eq!(received(&sender, &id).await, 0);
    }
}
