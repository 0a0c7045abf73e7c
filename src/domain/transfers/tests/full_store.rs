//! A store without any space: payloads are removed, and changes are recorded once they can be.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::domain::store::{FaultInjector, FaultyStore};
use crate::domain::transfer::PayloadState;

/// More than the delay after which the sweeper tries a transfer again.
const RETRY: Duration = Duration::from_mins(2);

/// Returns a service over a store that is full while the flag is set.
fn fixture() -> (Fixture, Arc<AtomicBool>) {
    let full = Arc::<AtomicBool>::default();
    let store = FaultyStore::default().with(FaultInjector::full_while(full.clone()));
    (Fixture::with_store(Arc::new(store)), full)
}

async fn delete(fixture: &Fixture, id: TransferId) -> Status {
    let scope = fixture.scope(ActionName::TransferDelete);
    fixture.transfers.delete(&scope, id).await.unwrap().state.status()
}

async fn status(fixture: &Fixture, id: TransferId) -> Status {
    fixture.transfers.find(&fixture.scope(ActionName::TransferStatus), id).await.unwrap().state.status()
}

#[tokio::test]
async fn a_deletion_frees_a_full_store_at_once_and_is_recorded_later() {
    let (fixture, full) = fixture();
    let pending = fixture.create_transfer(None).await;
    fixture.send(&pending, b"abc").await.unwrap();
    let completed = fixture.completed_transfer(None).await;
    let limited = fixture.completed_transfer(Some(2)).await;
    full.store(true, Ordering::Relaxed);
    for transfer in [&pending, &completed, &limited] {
        let id = transfer.transfer_id;
        for _ in 0..2 {
            assert_eq!(delete(&fixture, id).await, Status::Deleted);
        }
        assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 0);
        assert_eq!(status(&fixture, id).await, Status::Deleted);
    }
    // The transfer stays deleted for requests that found it before, too.
    let scope = fixture.scope(ActionName::DownloadGrant);
    let count =
        async || fixture.transfers.count_download(&scope, &own(&limited), &Grant::random(), ChangeResult::Done).await;
    assert!(matches!(count().await, Err(Error::StorageFull)));
    fixture.transfers.sweep().await.unwrap();

    full.store(false, Ordering::Relaxed);
    assert!(matches!(count().await, Err(Error::TransferDeleted)));
    fixture.transfers.sweep().await.unwrap();
    for transfer in [&pending, &completed, &limited] {
        let id = transfer.transfer_id;
        let events = fixture.events(id).await;
        let deletions = events.iter().filter(|kind| **kind == EventKind::TransferDeleted).count();
        assert_eq!((deletions, events.last()), (1, Some(&EventKind::PayloadRemoved)), "{events:?}");
        let other = Fixture::second_process(&fixture);
        assert_eq!(status(&other, id).await, Status::Deleted, "the deletion is in memory only");
    }
    let overview = fixture.transfers.overview(&fixture.tokens).await.unwrap();
    assert_eq!(overview.transfers, TransferCounts { deleted: 3, ..TransferCounts::default() });
    assert_eq!(overview.bytes_stored, 0);
}

#[tokio::test]
async fn a_deletion_lost_with_its_process_can_be_repeated() {
    let (fixture, full) = fixture();
    let id = fixture.completed_transfer(None).await.transfer_id;
    full.store(true, Ordering::Relaxed);
    assert_eq!(delete(&fixture, id).await, Status::Deleted);
    let other = Fixture::second_process(&fixture);
    assert_eq!(status(&other, id).await, Status::Completed);
    full.store(false, Ordering::Relaxed);
    assert_eq!(delete(&other, id).await, Status::Deleted);
    // The first process, if it lives, repeats nothing.
    fixture.transfers.sweep().await.unwrap();
    let events = fixture.events(id).await;
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::TransferDeleted).count(), 1, "{events:?}");
}

#[tokio::test]
async fn expiry_frees_a_full_store_at_once_and_is_recorded_later() {
    let (fixture, full) = fixture();
    let completed = fixture.completed_transfer(None).await;
    let exhausted = fixture.completed_transfer(Some(1)).await;
    let scope = fixture.scope(ActionName::DownloadGrant);
    fixture.transfers.count_download(&scope, &own(&exhausted), &Grant::random(), ChangeResult::Done).await.unwrap();
    full.store(true, Ordering::Relaxed);
    fixture.transfers.sweep().await.unwrap();
    for transfer in [&completed, &exhausted] {
        assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 3, "removed too early");
    }
    fixture.clock.set(completed.own_link.expires_at);
    for _ in 0..2 {
        fixture.transfers.sweep().await.unwrap();
        for transfer in [&completed, &exhausted] {
            assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 0);
        }
    }
    full.store(false, Ordering::Relaxed);
    fixture.clock.advance(RETRY);
    fixture.transfers.sweep().await.unwrap();
    for (transfer, end) in [(&completed, Status::Expired), (&exhausted, Status::Exhausted)] {
        let found = fixture.transfers.find(&scope, transfer.transfer_id).await.unwrap();
        assert_eq!((found.state.status(), found.payload), (end, PayloadState::Removed));
    }
}
