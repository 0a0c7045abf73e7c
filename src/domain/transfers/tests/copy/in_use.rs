//! Copies of a store in use, as backups of buckets make them.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;

use super::*;
use crate::domain::maintenance::copy::{CopiedInUse, KnownPayloads, copy_in_use};
use crate::domain::store::from_json;

/// Calls a function before the first payload is copied, after the state of its transfer was read.
struct BeforeFirstPayload<F>(AtomicBool, F);

impl<F: Fn() + Send + Sync> KnownPayloads for BeforeFirstPayload<F> {
    fn add(&self, _: PayloadId, _: u64) -> Result<bool, StoreError> {
        if !self.0.swap(true, Ordering::Relaxed) {
            (self.1)();
        }
        Ok(false)
    }
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new();
    open_header(&*fixture.store, Retention::default()).await.unwrap();
    fixture
}

/// Copies the store of `fixture` while `change` happens; the copy must pass the integrity check.
async fn backup(fixture: &Fixture, change: impl Fn() + Send + Sync) -> (MemoryStore, CopiedInUse) {
    let (to, known) = (MemoryStore::default(), BeforeFirstPayload(AtomicBool::new(false), change));
    let copied = copy_in_use(&*fixture.store, &to, &known, &*fixture.clock, &CallBetweenPasses(|| {})).await.unwrap();
    assert_eq!(check(&to).await.unwrap().findings, []);
    assert_eq!(copied.findings, 0);
    (to, copied)
}

async fn states(store: &dyn Store) -> Vec<State> {
    let all = store.list(&StorageKey::all_transfers(), None, usize::MAX).await.unwrap().items;
    let states = all.iter().filter(|(key, _)| key.transfer_id().is_some_and(|id| *key == StorageKey::transfer(id)));
    states.map(|(key, value)| from_json::<Transfer>(key.as_str(), value).unwrap().state).collect()
}

#[tokio::test]
async fn a_backup_of_a_quiet_store_has_the_same_records() {
    let fixture = fixture().await;
    fixture.completed_transfer(Some(2)).await;
    fixture.create_transfer(None).await;
    let (to, copied) = backup(&fixture, || {}).await;
    let expected = CopiedInUse { payloads_copied: 1, bytes_copied: 3, lost: 0, findings: 0 };
    assert_eq!(copied, expected);
    let mut expected = records(&*fixture.store).await;
    expected.retain(|(key, _)| !key.is_delivery_state());
    assert_eq!(records(&to).await, expected);
}

#[tokio::test]
async fn a_transfer_that_is_deleted_during_its_backup_is_deleted_in_it() {
    let fixture = fixture().await;
    let deleted = fixture.completed_transfer(None).await.transfer_id;
    let delete = || {
        let scope = fixture.scope(ActionName::TransferDelete);
        fixture.transfers.delete(&scope, deleted).now_or_never().expect("a store in memory does not wait").unwrap();
    };
    let (to, copied) = backup(&fixture, delete).await;
    assert_eq!((copied.payloads_copied, copied.lost), (0, 0));
    assert!(matches!(states(&to).await[..], [State::Deleted { .. }]));
}

#[tokio::test]
async fn transfers_created_during_a_backup_leave_it_consistent() {
    let fixture = fixture().await;
    fixture.completed_transfer(None).await;
    let create = || {
        for _ in 0..5 {
            let created = fixture.completed_transfer(Some(1)).now_or_never();
            created.expect("a store in memory does not wait");
        }
    };
    let (to, copied) = backup(&fixture, create).await;
    let count = states(&to).await.len() as u64;
    assert!((1..=6).contains(&count) && copied.payloads_copied == count, "{copied:?}");
}

#[tokio::test]
async fn a_transfer_whose_payload_is_lost_is_deleted_in_the_backup() {
    let fixture = fixture().await;
    fixture.completed_transfer(None).await;
    let lost = fixture.completed_transfer(None).await;
    fixture.store.remove(lost.payload_id()).await.unwrap();
    let (to, copied) = backup(&fixture, || {}).await;
    assert_eq!((copied.payloads_copied, copied.lost), (1, 1));
    let mut states = states(&to).await;
    states.sort_by_key(|state| matches!(state, State::Deleted { .. }));
    assert!(matches!(states[..], [State::Completed { .. }, State::Deleted { .. }]), "{states:?}");
}
