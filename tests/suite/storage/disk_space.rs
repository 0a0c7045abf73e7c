//! Free disk space: open uploads reserve their declared size.

use sgsend::domain::limits::free_space::MinFreeSpace;
use sgsend::server::StorageLocation;

use crate::support::{Service, SmallDisk, eventually, start_partial_upload, wait_for_writer};

#[tokio::test]
async fn open_uploads_reserve_their_remaining_bytes() {
    let Some(disk) = SmallDisk::mount("64m") else { return };
    let service = Service::at(StorageLocation::File(disk.path().join("store")));
    let service = service.with(|settings| settings.min_free = MinFreeSpace::Bytes(20 << 20)).start().await;
    let sender = service.sender().await;
    let (first, second) = (sender.create(25_000_000, "").await, sender.create(25_000_000, "").await);
    let open = start_partial_upload(&service, &sender, &first, 25_000_000, b"the beginning").await;
    wait_for_writer(&sender, &first).await;
    let upload = |id: &str| sender.post(&format!("/transfers/id/{id}/payload/upload-bytes")).bytes(b"more");
    upload(&second).expect_error("storage_full").await;
    sender.post("/transfers/create").json(r#"{"size_bytes":25000000}"#).expect_error("storage_full").await;
    drop(open);
    eventually(|| async { (upload(&second).send().await.status == 200).then_some(()) }).await;
}
