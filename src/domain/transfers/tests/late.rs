//! Races on a slow store: results stay consistent in any order of concurrent operations.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;

use super::*;
use crate::domain::crypto::random;
use crate::domain::store::{
    PayloadObjects, PayloadStream, PayloadWriter, Payloads, Records, StoreError, Version, Versioned,
};

/// In-memory store with random delays of up to 127 ms before and after each call.
#[derive(Debug, Default)]
struct SlowStore(MemoryStore);

async fn wait() {
    tokio::time::sleep(Duration::from_millis(u64::from(random::bytes::<1>()[0]) / 2)).await;
}

/// Delays a call and its result.
async fn late<T>(call: impl Future<Output = T>) -> T {
    wait().await;
    let result = call.await;
    wait().await;
    result
}

#[async_trait]
impl Records for SlowStore {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        late(self.0.get(key)).await
    }

    async fn keys(&self, of: &Prefix, after: Option<&StorageKey>, limit: usize) -> Result<Vec<StorageKey>, StoreError> {
        late(self.0.keys(of, after, limit)).await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        late(self.0.commit(commit)).await
    }
}

#[async_trait]
impl Payloads for SlowStore {
    async fn received(&self, id: TransferId) -> Result<u64, StoreError> {
        late(self.0.received(id)).await
    }

    async fn writer(&self, id: TransferId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        late(self.0.writer(id, offset)).await
    }

    async fn finish(&self, id: TransferId, size: u64) -> Result<u64, StoreError> {
        late(self.0.finish(id, size)).await
    }

    async fn read(&self, id: TransferId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        late(self.0.read(id, range)).await
    }

    async fn remove(&self, id: TransferId) -> Result<(), StoreError> {
        late(self.0.remove(id)).await
    }

    async fn list_stored(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        late(self.0.list_stored(after, limit)).await
    }
}

impl Store for SlowStore {}

/// Creates two servers over one store, without shared state in memory.
fn two_worlds() -> [World; 2] {
    let store = Arc::new(SlowStore::default());
    [World::with_store(store.clone()), World::with_store(store)]
}

#[tokio::test]
async fn the_download_limit_holds_on_a_slow_store() {
    let worlds = two_worlds();
    let transfer = worlds[0].completed(Some(3)).await;
    let count = async |world: &World| {
        let scope = world.scope(ActionName::DownloadGrant);
        let result = ChangeResult::Done;
        world.transfers.count(&scope, &transfer, &Grant::random(), result).await
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

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
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
