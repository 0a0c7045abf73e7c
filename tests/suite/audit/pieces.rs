//! Audit records of uploads in pieces.

use std::time::Duration;

use serde_json::Value;
use sgsend::domain::audit::WriteMode;

use crate::support::{Api, Service, Started, eventually};

/// Returns action and request of each successful upload request, or group of them, in an audit trail.
async fn upload_records(service: &Started, id: &str) -> Vec<(Value, Value)> {
    let page = service.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await;
    let items = page.items();
    let with_request = |action: &Value| {
        let request = items.iter().find(|item| item["type"] == "request" && item["request_id"] == action["request_id"]);
        (action.clone(), request.expect("an action has its request").clone())
    };
    let is_upload = |item: &&Value| item["action"] == "payload.upload" && item["outcome"] == "done";
    items.iter().filter(is_upload).map(with_request).collect()
}

async fn send(sender: &Api, id: &str, offset: u64, piece: &[u8]) {
    let path = format!("/transfers/id/{id}/payload/upload-bytes?offset={offset}");
    assert_eq!(sender.post(&path).bytes(piece).send().await.number("received_bytes"), offset + piece.len() as u64);
}

async fn start_batched() -> Started {
    Service::on_disk().with(|settings| settings.audit = WriteMode::Batched).start().await
}

#[tokio::test]
async fn pieces_of_an_upload_share_one_record() {
    let service = start_batched().await;
    let sender = service.sender().await;
    let id = sender.create(12, "").await;
    for (offset, piece) in [(0, "hello"), (5, "wor"), (8, "l")] {
        send(&sender, &id, offset, piece.as_bytes()).await;
    }
    assert!(upload_records(&service, &id).await.is_empty(), "a piece was recorded before the last");
    send(&sender, &id, 9, b"d!!").await;
    let records = upload_records(&service, &id).await;
    let [(action, request)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&action["pieces"], &request["pieces"]), (&4.into(), &4.into()));
    assert_eq!((&request["bytes_in"], &request["status"]), (&12.into(), &200.into()));
    assert_eq!(sender.post(&format!("/transfers/id/{id}/upload/complete")).send().await.status, 200);

    let whole = sender.create(5, "").await;
    send(&sender, &whole, 0, b"hello").await;
    let records = upload_records(&service, &whole).await;
    let [(action, request)] = &records[..] else { panic!("{records:?}") };
    assert!(action.get("pieces").is_none() && request.get("pieces").is_none(), "{records:?}");
}

#[tokio::test]
async fn pieces_of_an_unfinished_upload_are_recorded_after_a_minute_or_at_shutdown() {
    let service = start_batched().await;
    let sender = service.sender().await;
    let (quiet, busy) = (sender.create(12, "").await, sender.create(12, "").await);
    send(&sender, &quiet, 0, b"hello").await;
    send(&sender, &quiet, 5, b"wo").await;
    service.advance_clock(Duration::from_secs(61));
    send(&sender, &busy, 0, b"hello").await;
    let records =
        eventually(|| async { Some(upload_records(&service, &quiet).await).filter(|found| !found.is_empty()) }).await;
    assert_eq!((&records[0].0["pieces"], &records[0].1["bytes_in"]), (&2.into(), &7.into()));
    assert!(upload_records(&service, &busy).await.is_empty());

    let service = service.restart().await;
    let records = upload_records(&service, &busy).await;
    assert_eq!((records.len(), &records[0].1["bytes_in"]), (1, &5.into()), "{records:?}");
}

#[tokio::test]
async fn pieces_after_the_end_of_a_transfer_are_rejected_and_removed() {
    let service = start_batched().await;
    let sender = service.sender().await;
    let id = sender.create(12, "").await;
    send(&sender, &id, 0, b"hello").await;
    assert_eq!(sender.post(&format!("/transfers/id/{id}/delete")).send().await.status, 200);
    let path = format!("/transfers/id/{id}/payload/upload-bytes?offset=5");
    sender.post(&path).bytes(b"world").expect_error("transfer_deleted").await;
    let service = service.restart().await;
    let records = upload_records(&service, &id).await;
    assert_eq!((records.len(), &records[0].1["bytes_in"]), (1, &5.into()), "{records:?}");
}
