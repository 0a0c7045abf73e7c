//! Races on a slow store: results stay consistent in any order of concurrent operations.

use futures_util::future::join_all;

use super::*;
use crate::domain::crypto::random;
use crate::domain::store::{FaultInjector, FaultyStore};

/// Returns a random delay of up to 127 ms.
fn random_delay() -> Duration {
    Duration::from_millis(u64::from(random::bytes::<1>()[0]) / 2)
}

/// Creates two servers over one store, without shared state in memory.
fn two_worlds() -> [Fixture; 2] {
    let store = Arc::new(FaultyStore::default().with(FaultInjector::delaying(random_delay)));
    [Fixture::with_store(store.clone()), Fixture::with_store(store)]
}

#[tokio::test(start_paused = true)]
async fn the_download_limit_holds_on_a_slow_store() {
    let worlds = two_worlds();
    let transfer = worlds[0].completed(Some(3)).await;
    let count = async |fixture: &Fixture| {
        let scope = fixture.scope(ActionName::DownloadGrant);
        let result = ChangeResult::Done;
        fixture.transfers.count(&scope, &transfer, &Grant::random(), result).await
    };
    let counted = join_all((0..8).map(|n| count(&worlds[n % 2]))).await;
    assert_eq!(counted.iter().filter(|counted| counted.is_ok()).count(), 3, "{counted:?}");
    let is_exhausted = |error: &Error| matches!(error, Error::TransferExhausted);
    assert!(counted.iter().filter_map(|counted| counted.as_ref().err()).all(is_exhausted), "{counted:?}");
    let events = worlds[0].events(transfer.transfer_id).await;
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::DownloadGranted).count(), 3);
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::TransferExhausted).count(), 1);
}

/// Runs a slow test 20 times concurrently.
async fn many_times<F: Future<Output = ()>>(run: impl Fn() -> F) {
    join_all((0..20).map(|_| run())).await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_wins_over_a_concurrent_completion() {
    many_times(async || {
        let [one, other] = two_worlds();
        let transfer = one.created(None).await;
        one.send(&transfer, b"abc").await.unwrap();
        let id = transfer.transfer_id;
        let (completing, deleting) = (one.scope(ActionName::UploadComplete), other.scope(ActionName::TransferDelete));
        let (completed, deleted) =
            tokio::join!(one.transfers.complete(&completing, transfer), other.transfers.delete(&deleting, id));
        deleted.unwrap();
        let found = one.transfers.find(&completing, id).await.unwrap();
        assert_eq!(found.state.status(), Status::Deleted);
        assert_eq!(found.state.completed_at().is_some(), completed.is_ok(), "{completed:?}");
        assert_eq!(one.store.received(id).await.unwrap(), 0, "the payload is left");
        assert!(matches!(found.check_downloadable(START, true), Err(Error::TransferDeleted)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_during_an_upload_leaves_no_bytes() {
    many_times(async || {
        let [one, other] = two_worlds();
        let transfer = one.created(None).await;
        let (id, deleting) = (transfer.transfer_id, other.scope(ActionName::TransferDelete));
        let (sent, deleted) = tokio::join!(one.send(&transfer, b"abc"), other.transfers.delete(&deleting, id));
        deleted.unwrap();
        assert_eq!(one.store.received(id).await.unwrap(), 0, "bytes are left: {sent:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_transfer_with_several_schedule_entries_is_removed_once() {
    many_times(async || {
        let [one, _] = two_worlds();
        let id = one.completed(None).await.transfer_id;
        one.transfers.delete(&one.scope(ActionName::TransferDelete), id).await.unwrap();
        let schedule =
            (0..3).map(|minute| StorageKey::schedule_entry(START.plus(Duration::from_mins(minute)), id)).collect();
        one.store.commit(Commit { schedule, ..Commit::default() }).await.unwrap();
        one.clock.advance(RETAIN);
        one.transfers.sweep().await.unwrap();
        assert_eq!(one.keys(&StorageKey::all_of_transfer(id)).await, [""; 0]);
        assert_eq!(one.keys(&StorageKey::all_schedule_entries()).await, [""; 0]);
        let next = one.completed(None).await.transfer_id;
        one.transfers.delete(&one.scope(ActionName::TransferDelete), next).await.unwrap();
        let counts = one.transfers.overview(&one.tokens).await.unwrap().transfers;
        assert_eq!(counts, TransferCounts { deleted: 1, ..TransferCounts::default() });
    })
    .await;
}
