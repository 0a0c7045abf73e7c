//! Life cycle of a transfer, from creation to its end.

use std::time::Duration;

use crate::support::{ApiResponse, START, Service};

#[tokio::test]
async fn a_transfer_goes_from_create_to_download() {
    for service in Service::each() {
        let service = service.start().await;
        let (sender, anyone) = (service.sender().await, service.public());
        let created = sender.post("/transfers/create").json(r#"{"size_bytes":11}"#).send().await;
        let id = created.text("transfer_id");
        assert_eq!(created.status, 201);
        assert_eq!(created.text("status"), "pending");
        assert_eq!(created.number("expires_at"), START.as_millis() + 7 * 86_400_000);
        assert_eq!(created.json()["max_downloads"], serde_json::Value::Null);
        assert_eq!(created.text("page_url"), format!("/d/{id}"));
        let (way, kind, url) =
            if Service::is_presigned() { ("presigned", "single", "fallback_url") } else { ("bytes", "bytes", "url") };
        assert_eq!(created.json()["mode"], serde_json::json!({"upload":way,"download":way}));
        assert_eq!(created.json()["upload"]["kind"], kind);
        let upload = created.json()["upload"][url].as_str().unwrap().to_owned();

        let response = sender.post(&upload).bytes(b"hello world").send().await;
        assert_eq!((response.status, response.number("received_bytes")), (200, 11));
        service.advance_clock(Duration::from_secs(5));
        let completed = sender.post(&format!("/transfers/id/{id}/upload/complete")).send().await;
        assert_eq!((completed.status, completed.text("status").as_str()), (200, "completed"));
        assert_eq!(completed.number("completed_at"), START.as_millis() + 5_000);
        assert_eq!(completed.json()["transparency"]["not_stored"][0]["code"], "file_name");

        let granted = anyone.post(&format!("/transfers/id/{id}/download/create-presign-url")).json("{}").send().await;
        assert_eq!((granted.status, granted.text("mode").as_str()), (200, way));
        let url = granted.text(url);
        let downloaded = anyone.get(&url).header("x-sgsend-grant", &granted.text("grant")).send().await;
        assert_eq!((downloaded.status, &downloaded.body[..]), (200, &b"hello world"[..]));
        let by_query = anyone.get(&format!("{url}?grant={}", granted.text("grant"))).send().await;
        assert_eq!(&by_query.body[..], b"hello world");
    }
}

#[tokio::test]
async fn every_status_responds_as_documented() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let pending = sender.create(3, "").await;
        let expired = sender.send_payload(b"abc", r#""expires_in_s":60"#).await;
        let deleted = sender.send_payload(b"abc", "").await;
        sender.post(&format!("/transfers/id/{deleted}/delete")).send().await;
        let exhausted = sender.send_payload(b"abc", r#""max_downloads":1"#).await;
        let get = |id: &str| sender.get(&format!("/transfers/id/{id}/payload/download-bytes"));
        assert_eq!(get(&exhausted).send().await.status, 200);
        service.advance_clock(Duration::from_secs(61));

        for (id, status, upload, download) in [
            (&pending, "pending", "", "not_completed"),
            (&expired, "expired", "transfer_expired", "transfer_expired"),
            (&deleted, "deleted", "transfer_deleted", "transfer_deleted"),
            (&exhausted, "exhausted", "transfer_not_pending", "transfer_exhausted"),
        ] {
            assert_eq!(sender.status(id).await.text("status"), status);
            get(id).expect_error(download).await;
            let grant = sender.post(&format!("/transfers/id/{id}/download/create-presign-url"));
            grant.expect_error(download).await;
            if !upload.is_empty() {
                let send = sender.post(&format!("/transfers/id/{id}/payload/upload-bytes")).bytes(b"abc");
                send.expect_error(upload).await;
            }
            for list in ["events", "actions"] {
                let listed = sender.get(&format!("/transfers/id/{id}/{list}/list")).send().await;
                assert_eq!(listed.status, 200);
            }
        }
        let incomplete = sender.post(&format!("/transfers/id/{pending}/upload/complete"));
        assert_eq!(incomplete.expect_error("upload_incomplete").await.number("received_bytes"), 0);
        for id in [&pending, &expired, &deleted, &exhausted] {
            for _ in 0..2 {
                let response = sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
                assert_eq!((response.status, response.text("status").as_str()), (200, "deleted"));
            }
        }
    }
}

#[tokio::test]
async fn a_repeated_request_changes_nothing_more() {
    for service in Service::each() {
        // Signed URLs differ in each response.
        let but_for_urls = |response: &ApiResponse| {
            let mut response = response.json();
            for member in ["upload", "url", "url_expires_at"] {
                if Service::is_presigned() && response.get(member).is_some() {
                    response[member].take();
                }
            }
            response
        };
        let service = service.start().await;
        let sender = service.sender().await;
        let key = "0f".repeat(32);
        let body = format!(r#"{{"size_bytes":3,"max_downloads":2,"idempotency_key":"{key}"}}"#);
        let first = sender.post("/transfers/create").json(&body).send().await;
        let second = sender.post("/transfers/create").json(&body).send().await;
        assert_eq!((second.status, but_for_urls(&second)), (201, but_for_urls(&first)));
        let other = body.replace("\"size_bytes\":3", "\"size_bytes\":4");
        sender.post("/transfers/create").json(&other).expect_error("idempotency_mismatch").await;
        let another_sender = service.sender().await.post("/transfers/create").json(&body).send().await;
        assert_ne!(another_sender.text("transfer_id"), first.text("transfer_id"));

        let id = first.text("transfer_id");
        let upload = format!("/transfers/id/{id}/payload/upload-bytes");
        assert_eq!(sender.post(&upload).bytes(b"abc").send().await.status, 200);
        let repeated = sender.post(&upload).bytes(b"abc").expect_error("offset_mismatch").await;
        assert_eq!(repeated.number("received_bytes"), 3);
        let complete = || sender.post(&format!("/transfers/id/{id}/upload/complete")).json("{}");
        let first = complete().send().await;
        service.advance_clock(Duration::from_secs(9));
        assert_eq!(complete().send().await.json(), first.json());

        let grant = "A".repeat(43);
        let ask = || {
            let request = sender.post(&format!("/transfers/id/{id}/download/create-presign-url"));
            request.json(&format!(r#"{{"grant":"{grant}"}}"#))
        };
        let first = ask().send().await;
        assert_eq!(but_for_urls(&ask().send().await), but_for_urls(&first));
        assert_eq!(sender.status(&id).await.number("download_count"), 1);
        let delete = || sender.post(&format!("/transfers/id/{id}/delete"));
        let first = delete().send().await;
        assert_eq!(delete().send().await.json(), first.json());

        let kinds: Vec<_> = sender.get(&format!("/transfers/id/{id}/events/list")).send().await.items();
        let kinds: Vec<_> = kinds.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        let once =
            ["transfer_created", "transfer_completed", "download_granted", "transfer_deleted", "payload_removed"];
        assert_eq!(kinds, once);
    }
}

#[tokio::test]
async fn a_restart_keeps_all_state() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let half = sender.create(6, "").await;
    sender.post(&format!("/transfers/id/{half}/payload/upload-bytes")).bytes(b"abc").send().await;
    let whole = sender.send_payload(b"hello", r#""max_downloads":2"#).await;
    let get = |api: &crate::support::Api| api.get(&format!("/transfers/id/{whole}/payload/download-bytes"));
    assert_eq!(get(&sender).send().await.status, 200);
    let token = sender.clone();
    let service = service.restart().await;
    let sender = service.public().like(&token);
    assert_eq!(&get(&sender).send().await.body[..], b"hello");
    get(&sender).expect_error("transfer_exhausted").await;
    let rest = sender.post(&format!("/transfers/id/{half}/payload/upload-bytes?offset=3")).bytes(b"def").send().await;
    assert_eq!(rest.number("received_bytes"), 6);
    assert_eq!(sender.post(&format!("/transfers/id/{half}/upload/complete")).send().await.status, 200);
}

#[tokio::test]
async fn ending_a_transfer_removes_its_payload_from_disk() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let marked = b"some sealed bytes, nowhere else to be found".repeat(4_000);
    let id = sender.send_payload(&marked, "").await;
    let payloads = || {
        let walk = walk(&service.folder().join("payloads"));
        walk.into_iter().filter(|path| path.is_file()).count()
    };
    assert_eq!(payloads(), 1);
    sender.post(&format!("/transfers/id/{id}/delete")).send().await;
    assert_eq!(payloads(), 0);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let nested = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    entries.flat_map(nested).collect()
}

#[tokio::test]
async fn a_link_with_a_slash_at_its_end_leads_to_the_page() {
    let service = Service::any().start().await;
    let id = "0".repeat(32);
    for (path, to) in [(format!("/d/{id}/"), format!("../{id}")), ("/d/damaged/".to_owned(), "../damaged".to_owned())] {
        let redirected = service.public().get(&path).header("accept", "text/html").send().await;
        assert_eq!((redirected.status, redirected.header("location")), (308, to.as_str()));
    }
    assert_eq!(service.public().get(&format!("/d/{id}")).send().await.status, 200);
}
