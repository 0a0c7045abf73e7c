//! Races on a slow store: results stay consistent in any order of concurrent operations.

use futures_util::future::join_all;

use super::failing_store::Protected;
use super::quota::{create, limited, used};
use super::*;
use crate::domain::crypto::random;
use crate::domain::store::{FaultInjector, FaultyStore};

/// Returns a random delay of up to 127 ms.
fn random_delay() -> Duration {
    Duration::from_millis(u64::from(random::bytes::<1>()[0]) / 2)
}

/// Creates two services, as two server processes would, that share only the store.
fn two_processes() -> [Fixture; 2] {
    let store = Arc::new(FaultyStore::default().with(FaultInjector::default().delaying(random_delay)));
    [Fixture::with_store(store.clone()), Fixture::with_store(store)]
}

#[tokio::test(start_paused = true)]
async fn the_download_limit_holds_on_a_slow_store() {
    let processes = two_processes();
    let transfer = processes[0].completed_transfer(Some(3)).await;
    let count = async |fixture: &Fixture| {
        let scope = fixture.scope(ActionName::DownloadGrant);
        let result = ChangeResult::Done;
        fixture.transfers.count_download(&scope, &own(&transfer), &Grant::random(), result).await
    };
    let results = join_all((0..8).map(|n| count(&processes[n % 2]))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3, "{results:?}");
    let is_exhausted = |error: &Error| matches!(error, Error::TransferExhausted);
    assert!(results.iter().filter_map(|result| result.as_ref().err()).all(is_exhausted), "{results:?}");
    let events = processes[0].events(transfer.transfer_id).await;
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::DownloadGranted).count(), 3);
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::TransferExhausted).count(), 1);
}

/// Runs a slow test 20 times concurrently.
async fn run_20_times<F: Future<Output = ()>>(run: impl Fn() -> F) {
    join_all((0..20).map(|_| run())).await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_wins_over_a_concurrent_completion() {
    run_20_times(async || {
        let [first, second] = two_processes();
        let transfer = first.create_transfer(None).await;
        first.send(&transfer, b"abc").await.unwrap();
        let (id, payload) = (transfer.transfer_id, transfer.payload_id());
        let (completing, deleting) =
            (first.scope(ActionName::UploadComplete), second.scope(ActionName::TransferDelete));
        let with = CompleteUpload::default();
        let (completed, deleted) = tokio::join!(
            first.transfers.complete(&completing, transfer, &with),
            second.transfers.delete(&deleting, id)
        );
        deleted.unwrap();
        let found = first.transfers.find(&completing, id).await.unwrap();
        assert_eq!(found.state.status(), Status::Deleted);
        assert_eq!(found.state.completed_at().is_some(), completed.is_ok(), "{completed:?}");
        assert_eq!(first.store.received(payload).await.unwrap(), 0, "the payload still exists");
        assert!(matches!(found.own_link_at(START).check_downloadable(true), Err(Error::TransferDeleted)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_during_an_upload_leaves_no_bytes() {
    run_20_times(async || {
        let [first, second] = two_processes();
        let transfer = first.create_transfer(None).await;
        let (id, deleting) = (transfer.transfer_id, second.scope(ActionName::TransferDelete));
        let (sent, deleted) = tokio::join!(first.send(&transfer, b"abc"), second.transfers.delete(&deleting, id));
        deleted.unwrap();
        assert_eq!(first.store.received(transfer.payload_id()).await.unwrap(), 0, "bytes remain: {sent:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_transfer_with_several_schedule_entries_is_removed_once() {
    run_20_times(async || {
        let [first, _] = two_processes();
        let id = first.completed_transfer(None).await.transfer_id;
        first.transfers.delete(&first.scope(ActionName::TransferDelete), id).await.unwrap();
        let schedule =
            (0..3).map(|minute| StorageKey::schedule_entry(START.plus(Duration::from_mins(minute)), id)).collect();
        first.store.commit(Commit { schedule, ..Commit::default() }).await.unwrap();
        first.clock.advance(RETAIN);
        first.transfers.sweep().await.unwrap();
        assert_eq!(first.keys(&StorageKey::all_of_transfer(id)).await, [""; 0]);
        assert_eq!(first.keys(&StorageKey::all_schedule_entries()).await, [""; 0]);
        let next = first.completed_transfer(None).await.transfer_id;
        first.transfers.delete(&first.scope(ActionName::TransferDelete), next).await.unwrap();
        let counts = first.transfers.overview(&first.tokens).await.unwrap().transfers;
        assert_eq!(counts, TransferCounts { deleted: 1, ..TransferCounts::default() });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn quotas_hold_on_a_slow_store() {
    run_20_times(async || {
        let processes = two_processes();
        // Of 5 bytes, each transfer takes 3.
        let token = limited(&processes[0]).await;
        let results = join_all((0..8).map(|n| create(&processes[usize::from(n) % 2], &token, n))).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let is_exceeded = |error: &Error| matches!(error, Error::QuotaExceeded { .. });
        assert!(results.iter().filter_map(|result| result.as_ref().err()).all(is_exceeded), "{results:?}");
        assert_eq!(used(&processes[1], &token).await, (1, 3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_id_alone_gives_nothing_on_a_slow_store() {
    run_20_times(async || {
        let [first, second] = two_processes();
        let Protected { transfer, proof } = first.protected(Some(1), true).await;
        let scope = first.scope(ActionName::DownloadGrant);
        let link = own(&transfer);
        let recipient = first.transfers.create_download(&scope, &link, Some(&proof), None);
        let (granted, _, errors) = tokio::join!(
            recipient,
            first.expect_nothing_without_proof(&transfer),
            second.expect_nothing_without_proof(&transfer)
        );
        assert!(granted.is_ok() && errors.len() == 12, "{errors:?}");
    })
    .await;
}
