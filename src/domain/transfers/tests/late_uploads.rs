//! Upload requests that write bytes after the removal of the payload.
//!
//! They began before the end of their transfer.

use futures_util::StreamExt;

use super::*;
use crate::domain::store::{FaultInjector, FaultyStore, Payloads};
use crate::domain::transfer::{LATE_UPLOAD_PERIOD, Status};

/// More store operations than an upload uses.
const OPERATIONS: u64 = 40;

/// Time after the deletion: just before the second removal of the payload.
const BEFORE: Duration = LATE_UPLOAD_PERIOD.saturating_sub(Duration::from_mins(1));

impl Fixture {
    /// Creates and deletes a transfer; returns it as a request has read it before the deletion.
    async fn deleted_transfer(&self) -> Transfer {
        let stale = self.create_transfer(None).await;
        self.transfers.delete(&self.scope(ActionName::TransferDelete), stale.transfer_id).await.unwrap();
        stale
    }

    /// Sweeps when the second removal of a payload deleted at the start is due.
    async fn sweep_late(&self) {
        self.clock.set(START.plus(LATE_UPLOAD_PERIOD));
        self.transfers.sweep().await.unwrap();
    }
}

/// Fails an upload at each of its operations.
#[tokio::test]
async fn bytes_of_a_failed_upload_do_not_outlive_a_deletion() {
    let mut left = 0;
    for first in 0..OPERATIONS {
        let memory = MemoryStore::default();
        let other = Fixture::with_store(Arc::new(memory.clone()));
        let stale = other.deleted_transfer().await;

        let store = FaultyStore::over(memory.clone()).with(FaultInjector::failing_within(first..first + 4));
        let server = Fixture::with_store(Arc::new(store));
        server.send(&stale, b"ab").await.expect_err("an upload to a deleted transfer succeeds");
        left += u32::from(memory.received(stale.payload_id()).await.unwrap() > 0);
        other.sweep_late().await;
        assert_eq!(
            memory.received(stale.payload_id()).await.unwrap(),
            0,
            "bytes are left by a fault at operation {first}"
        );
    }
    assert!(left > 0, "no upload failed after it wrote bytes");
}

/// A crash ends an upload after its bytes and before its look at the transfer.
#[tokio::test]
async fn bytes_of_an_upload_cut_off_by_a_crash_do_not_outlive_a_deletion() {
    let fixture = Fixture::used().await;
    let stale = fixture.deleted_transfer().await;
    let id = stale.transfer_id;
    let scope = fixture.scope(ActionName::PayloadUpload);
    let body = stream::iter([Ok("ab".into())]).chain(stream::pending());
    let upload = fixture.transfers.upload(&scope, &stale, PayloadChunk { offset: 0, length: None, body });
    tokio::time::timeout(Duration::from_millis(20), upload).await.expect_err("the upload has ended");
    assert_eq!(fixture.store.received(stale.payload_id()).await.unwrap(), 2);
    assert_eq!(fixture.findings().await, [], "bytes that the sweeper will remove are a finding");

    fixture.clock.set(START.plus(BEFORE));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.store.received(stale.payload_id()).await.unwrap(), 2, "the sweeper looks again too early");
    fixture.sweep_late().await;
    assert_eq!(fixture.store.received(stale.payload_id()).await.unwrap(), 0);
    assert_eq!(fixture.findings().await, []);
    // The last schedule entry is for the removal of the records.
    let last_entry = fixture.keys(&StorageKey::all_schedule_entries()).await.pop();
    assert_eq!(last_entry, Some(StorageKey::schedule_entry(START.plus(RETAIN), id).to_string()));
}

/// A long upload learns of the deletion at its next look at the transfer, an hour later at the latest.
#[tokio::test]
async fn a_long_upload_to_a_deleted_transfer_ends_within_an_hour_and_leaves_no_bytes() {
    let fixture = Fixture::new();
    let stale = fixture.deleted_transfer().await;
    let scope = fixture.scope(ActionName::PayloadUpload);
    let clock = fixture.clock.clone();
    let body = stream::iter([Ok("a".into()), Ok("b".into()), Ok("c".into())]).inspect(move |_| {
        clock.advance(Duration::from_mins(35));
    });
    let result = fixture.transfers.upload(&scope, &stale, PayloadChunk { offset: 0, length: None, body }).await;
    assert!(matches!(result, Err(Error::TransferDeleted)), "{result:?}");
    assert_eq!(fixture.store.received(stale.payload_id()).await.unwrap(), 0);
    assert_eq!(fixture.clock.now(), START.plus(Duration::from_mins(70)), "the upload went on after an hour");
}

#[tokio::test]
async fn only_a_payload_with_recent_uploads_is_removed_twice() {
    let fixture = Fixture::new();
    let (recent, old) = (fixture.completed_transfer(None).await, fixture.completed_transfer(None).await);
    let delete = async |transfer: &Transfer| {
        fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), transfer.transfer_id).await.unwrap()
    };
    fixture.clock.set(START.plus(BEFORE));
    let deleted = delete(&recent).await;
    assert_eq!(deleted.second_removal_at(), Some(START.plus(LATE_UPLOAD_PERIOD)));
    fixture.clock.set(START.plus(LATE_UPLOAD_PERIOD));
    assert_eq!(delete(&old).await.second_removal_at(), None);
}

/// Completes a transfer through a server that reads it as expired.
///
/// Its clock is fast, and an upload through another server prolongs the idle transfer.
#[tokio::test]
async fn a_transfer_that_seemed_expired_is_not_completed_without_its_payload() {
    let fixture = Fixture::new();
    let fast = Fixture::with_store(fixture.store.clone());
    let request = CreateTransfer { expires_in_s: Some(3 * 86_400), ..create_request() };
    let scope = fixture.scope(ActionName::TransferCreate);
    let stale = fixture.transfers.create(&scope, &fixture.token().await, &request).await.unwrap().transfer;
    fixture.clock.set(START.plus(Duration::from_hours(24) - Duration::from_secs(1)));
    fixture.send(&stale, b"abc").await.unwrap();
    fast.clock.set(START.plus(Duration::from_hours(24)));
    let result = fast
        .transfers
        .complete(&fast.scope(ActionName::UploadComplete), stale.clone(), &CompleteUpload::default())
        .await;
    assert!(matches!(result, Err(Error::TransferExpired)), "{result:?}");
    let scope = fixture.scope(ActionName::TransferStatus);
    let found = fixture.transfers.find(&scope, stale.transfer_id).await.unwrap();
    assert_eq!(found.state.status(), Status::Pending);
    let completed = fast
        .transfers
        .complete(&fast.scope(ActionName::UploadComplete), found, &CompleteUpload::default())
        .await
        .unwrap();
    assert_eq!(completed.state.status(), Status::Completed);
    assert!(fixture.store.read(stale.payload_id(), 0..3).await.is_ok());
}
