//! Copies of a store: complete, interrupted at any point, and rejected.

mod in_use;

use std::sync::Mutex;

use futures_util::TryStreamExt;

use super::*;
use crate::domain::id::PayloadId;
use crate::domain::maintenance::check::check;
use crate::domain::maintenance::copy::{Copied, CopyError, CopyObserver, copy};
use crate::domain::store::{
    Change, Condition, FaultInjector, FaultyStore, Payloads, Records, StoreError, StoreHeader, open_header,
};
use crate::domain::transfer::State;

const NAME: &str = "file:/srv/original";

/// Calls a function between copying and comparing.
struct CallBetweenPasses<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> CopyObserver for CallBetweenPasses<F> {
    fn begin(&self, _: u64) {}

    fn transferred(&self, _: u64) {}

    fn compares(&self) {
        (self.0)();
    }
}

/// Returns a store over `memory` that fails after `operations` calls, as if its process was killed.
fn failing_after(operations: u64, memory: MemoryStore) -> FaultyStore {
    FaultyStore::over(memory).with(FaultInjector::failing_after(operations))
}

async fn copied(from: &dyn Store, to: &dyn Store) -> Result<Copied, CopyError> {
    copy(from, to, NAME, &CallBetweenPasses(|| {})).await
}

/// Reads all records, including the store header.
async fn records(store: &dyn Store) -> Vec<(StorageKey, bytes::Bytes)> {
    store.list(&StorageKey::all_objects(), None, usize::MAX).await.unwrap().items
}

/// Returns id and content of the payload of a transfer.
async fn payload(store: &dyn Store, id: TransferId) -> Option<(PayloadId, Vec<u8>)> {
    let id = read::<Transfer>(store, &StorageKey::transfer(id)).await.unwrap()?.value.payload_id();
    let stream = store.read(id, 0..3).await.ok()?;
    Some((id, stream.try_collect::<Vec<_>>().await.unwrap().concat()))
}

async fn put(store: &dyn Store, key: StorageKey, value: &'static str) {
    let change = Change { key, condition: Condition::Absent, value: value.into() };
    store.commit(Commit::of(change)).await.unwrap();
}

/// Creates a store with transfers in all states except expired, each with its own token.
async fn used() -> Fixture {
    let fixture = Fixture::new();
    open_header(&*fixture.store, Retention::default()).await.unwrap();
    let pending = fixture.create_transfer(None).await;
    fixture.send(&pending, b"ab").await.unwrap();
    fixture.completed_transfer(None).await;
    let limited = fixture.completed_transfer(Some(3)).await;
    download(&fixture, limited.transfer_id).await.unwrap();
    let exhausted = fixture.completed_transfer(Some(1)).await;
    download(&fixture, exhausted.transfer_id).await.unwrap();
    let deleted = fixture.completed_transfer(None).await;
    fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), deleted.transfer_id).await.unwrap();
    fixture
}

async fn download(fixture: &Fixture, id: TransferId) -> Result<(), Error> {
    let scope = fixture.scope(ActionName::DownloadGrant);
    let transfer = fixture.transfers.find(&scope, id).await?;
    fixture
        .transfers
        .count_download(&scope, &own(&transfer), &Grant::random(), ChangeResult::Undetermined)
        .await
        .map(drop)
}

async fn ids(fixture: &Fixture) -> Vec<TransferId> {
    let mut ids: Vec<_> = records(&*fixture.store).await.iter().filter_map(|(key, _)| key.transfer_id()).collect();
    ids.dedup();
    ids
}

/// Checks that `to` is identical to `from` and passes the integrity check.
async fn assert_same(from: &Fixture, to: &Arc<dyn Store>) {
    let mut expected = records(&*from.store).await;
    expected.retain(|(key, _)| !key.is_delivery_state());
    assert_eq!(records(&**to).await, expected);
    let report = check(&**to).await.unwrap();
    assert_eq!(report.findings, []);
    for id in ids(from).await {
        assert_eq!(payload(&**to, id).await, payload(&*from.store, id).await, "{id}");
    }
}

#[tokio::test]
async fn a_copy_is_identical_to_its_source() {
    let (fixture, to): (_, Arc<dyn Store>) = (used().await, Arc::new(MemoryStore::default()));
    let copied = copied(&*fixture.store, &*to).await.unwrap();
    assert_same(&fixture, &to).await;
    let copied_records = records(&*to).await.len() as u64;
    assert_eq!(copied, Copied { records: copied_records, payloads: 3, bytes: 9, bytes_sent: 9, pending: 1 });
    // The incomplete upload is not copied.
    assert_eq!(to.list_stored(None, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_copy_leaves_undelivered_notifications_behind() {
    let (fixture, to): (_, Arc<dyn Store>) = (used().await, Arc::new(MemoryStore::default()));
    copied(&*fixture.store, &*to).await.unwrap();
    let outbox = StorageKey::whole_outbox();
    assert!(!fixture.store.keys(&outbox, None, 1).await.unwrap().is_empty(), "nothing waits for delivery");
    assert_eq!(to.keys(&outbox, None, 1).await.unwrap(), []);
    assert!(!to.keys(&StorageKey::all_notifications(), None, 1).await.unwrap().is_empty(), "the log is missing");
}

#[tokio::test]
async fn services_continue_on_a_copy() {
    let fixture = used().await;
    let to: Arc<dyn Store> = Arc::new(MemoryStore::default());
    copied(&*fixture.store, &*to).await.unwrap();
    let moved = Fixture::with_store_and_clock(to, fixture.clock.clone());
    let mut downloads_remaining = Vec::new();
    for id in ids(&fixture).await {
        let scope = moved.scope(ActionName::TransferStatus);
        let transfer = moved.transfers.find(&scope, id).await.unwrap();
        downloads_remaining.extend(transfer.own_link.downloads_remaining());
        if transfer.state == State::Pending {
            // The service tells the sender to restart at byte 0.
            assert_eq!(moved.transfers.upload_status(&transfer).await.unwrap().received_bytes, 0);
            moved.send(&transfer, b"abc").await.unwrap();
            moved
                .transfers
                .complete(&moved.scope(ActionName::UploadComplete), transfer, &CompleteUpload::default())
                .await
                .unwrap();
        } else if let Some(remaining) = transfer.own_link.downloads_remaining() {
            for _ in 0..remaining {
                download(&moved, id).await.unwrap();
            }
            assert!(matches!(download(&moved, id).await, Err(Error::TransferExhausted)));
        }
    }
    downloads_remaining.sort_unstable();
    assert_eq!(downloads_remaining, [0, 2]);
    assert_eq!(check(&*moved.store).await.unwrap().findings, []);
    moved.clock.advance(RETAIN * 2);
    moved.transfers.sweep().await.unwrap();
    assert_eq!(moved.store.list_stored(None, 1).await.unwrap(), []);
}

#[tokio::test]
async fn a_copy_resumes_after_an_interruption_at_any_point() {
    let fixture = used().await;
    let mut cuts = 0;
    loop {
        let memory = MemoryStore::default();
        let to: Arc<dyn Store> = Arc::new(memory.clone());
        let interrupted = copied(&*fixture.store, &failing_after(cuts, memory)).await;
        if interrupted.is_ok() {
            break;
        }
        assert!(matches!(interrupted, Err(CopyError::To(StoreError::Unavailable(_)))), "{interrupted:?}");
        if !records(&*to).await.is_empty() {
            let opened = open_header(&*to, Retention::default()).await;
            assert!(matches!(&opened, Err(StoreError::IncompleteCopy { of }) if of == NAME), "{opened:?}");
            assert_eq!(check(&*to).await.unwrap().findings[0].code, "unfinished_copy");
        }
        let sent_before =
            to.list_stored(None, 10).await.unwrap().iter().filter(|objects| objects.finished).count() as u64 * 3;
        let resumed = copied(&*fixture.store, &*to).await.unwrap();
        assert!(
            resumed.bytes_sent <= 9 - sent_before,
            "after {cuts} calls: {resumed:?}, {sent_before} bytes sent before"
        );
        assert_same(&fixture, &to).await;
        cuts += 1;
    }
    assert!(cuts > 50, "the copy was interrupted only {cuts} times");
}

#[tokio::test]
async fn a_resumed_copy_includes_changes_since_the_first_run() {
    let fixture = used().await;
    for cuts in (5..200).step_by(13) {
        let memory = MemoryStore::default();
        let to: Arc<dyn Store> = Arc::new(memory.clone());
        let interrupted = copied(&*fixture.store, &failing_after(cuts, memory)).await;
        // Services use the source again before the copy is resumed.
        let new = fixture.completed_transfer(Some(5)).await.transfer_id;
        download(&fixture, new).await.unwrap();
        let old = ids(&fixture).await[usize::try_from(cuts).unwrap() % 4];
        fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), old).await.unwrap();
        fixture.clock.advance(RETAIN / 10);
        fixture.transfers.sweep().await.unwrap();
        if interrupted.is_ok() {
            continue;
        }
        copied(&*fixture.store, &*to).await.unwrap();
        assert_same(&fixture, &to).await;
        assert_eq!(to.list_stored(None, 100).await.unwrap(), fixture.store.list_stored(None, 100).await.unwrap());
    }
}

#[tokio::test]
async fn a_damaged_partial_payload_is_copied_again() {
    let fixture = used().await;
    let mut transfers = Vec::new();
    for id in ids(&fixture).await {
        transfers.extend(payload(&*fixture.store, id).await.map(|(id, _)| id));
    }
    let to: Arc<dyn Store> = Arc::new(MemoryStore::default());
    put(&*to, StorageKey::header(), r#"{"v":1,"unfinished_copy":{"of":"file:/srv/original","run":"0"}}"#).await;
    for (id, bytes) in transfers.iter().zip([&b"ab"[..], b"xy", b"xyz"]) {
        let mut writer = to.writer(*id, 0).await.unwrap();
        writer.write(bytes.into()).await.unwrap();
        writer.close().await.unwrap();
    }
    copied(&*fixture.store, &*to).await.unwrap();
    assert_same(&fixture, &to).await;
}

#[tokio::test]
async fn the_destination_must_be_empty() {
    let fixture = used().await;
    let header = r#"{"v":1,"retain_audit_s":1}"#;
    let other = r#"{"v":1,"unfinished_copy":{"of":"file:/srv/other","run":"0"}}"#;
    for (key, value) in [("store.json", header), ("photos/1.jpg", "x"), ("tokens/a.json", "x"), ("store.json", other)] {
        let to = MemoryStore::default();
        put(&to, StorageKey::from_backend(key.to_owned()), value).await;
        let before = records(&to).await;
        let result = copied(&*fixture.store, &to).await;
        assert!(matches!(result, Err(CopyError::NotEmpty | CopyError::OtherCopy { .. })), "{key}: {result:?}");
        assert_eq!(records(&to).await, before);
    }
    let to = MemoryStore::default();
    let mut writer = to.writer(PayloadId::random(), 0).await.unwrap();
    writer.write("x".into()).await.unwrap();
    writer.close().await.unwrap();
    assert!(matches!(copied(&*fixture.store, &to).await, Err(CopyError::NotEmpty)));
    assert_eq!(records(&to).await, []);
}

#[tokio::test]
async fn the_source_must_be_a_complete_store() {
    let (from, to) = (MemoryStore::default(), MemoryStore::default());
    assert!(matches!(copied(&from, &to).await, Err(CopyError::NoStore)));
    put(&from, StorageKey::header(), r#"{"v":1,"unfinished_copy":{"of":"x","run":"0"}}"#).await;
    let result = copied(&from, &to).await;
    assert!(matches!(result, Err(CopyError::From(StoreError::IncompleteCopy { .. }))), "{result:?}");
    assert_eq!(records(&to).await, []);
}

#[tokio::test]
async fn changes_during_a_copy_are_detected() {
    let fixture = used().await;
    let transfers = ids(&fixture).await;
    let token = fixture.store.keys(&StorageKey::tokens(), None, 1).await.unwrap().remove(0);
    let (added, removed) = (
        StorageKey::schedule_entry(START.plus(Duration::from_hours(7)), transfers[0]),
        StorageKey::transfer(transfers[1]),
    );
    let changes = [
        Commit { schedule: vec![added], ..Commit::default() },
        Commit { removals: vec![removed.clone()], ..Commit::default() },
        Commit { removals: vec![token], ..Commit::default() },
        Commit { removals: vec![StorageKey::header()], ..Commit::default() },
    ];
    for change in changes {
        let (from, to): (MemoryStore, Arc<dyn Store>) = (MemoryStore::default(), Arc::new(MemoryStore::default()));
        copied(&*fixture.store, &from).await.unwrap();
        let (changing, change) = (from.clone(), Mutex::new(Some(change)));
        let between = CallBetweenPasses(move || {
            let change = change.lock().unwrap().take().unwrap();
            futures_util::FutureExt::now_or_never(changing.commit(change)).unwrap().unwrap();
        });
        let result = copy(&from, &*to, NAME, &between).await;
        assert!(matches!(result, Err(CopyError::Differs { .. })), "{result:?}");
        let opened = open_header(&*to, Retention::default()).await;
        assert!(matches!(opened, Err(StoreError::IncompleteCopy { .. })), "{opened:?}");
        if StoreHeader::of(&from).await.unwrap().is_some() {
            copied(&from, &*to).await.unwrap();
            assert_eq!(records(&*to).await, records(&from).await);
        }
    }
}

#[tokio::test]
async fn only_one_of_two_concurrent_copies_finishes() {
    let (fixture, to) = (used().await, MemoryStore::default());
    let claimed = to.clone();
    let overtaking = CallBetweenPasses(move || {
        // The second copy claims the destination.
        let found =
            futures_util::FutureExt::now_or_never(claimed.get(&StorageKey::header())).unwrap().unwrap().unwrap();
        let mark = r#"{"v":1,"unfinished_copy":{"of":"file:/srv/original","run":"1"}}"#;
        let change = Change { key: StorageKey::header(), condition: Condition::Is(found.version), value: mark.into() };
        futures_util::FutureExt::now_or_never(claimed.commit(Commit::of(change))).unwrap().unwrap();
    });
    assert!(matches!(copy(&*fixture.store, &to, NAME, &overtaking).await, Err(CopyError::Overtaken)));
    assert!(matches!(StoreHeader::of(&to).await, Err(StoreError::IncompleteCopy { .. })));
}

#[tokio::test]
async fn a_missing_payload_is_reported() {
    let (fixture, to) = (used().await, MemoryStore::default());
    let transfer = fixture.completed_transfer(None).await;
    let id = transfer.transfer_id;
    fixture.store.remove(transfer.payload_id()).await.unwrap();
    let result = copied(&*fixture.store, &to).await;
    assert!(matches!(result, Err(CopyError::NoPayload { id: reported }) if reported == id), "{result:?}");
}

#[tokio::test]
async fn thousands_of_records_are_copied_and_compared() {
    let fixture = Fixture::new();
    open_header(&*fixture.store, Retention::default()).await.unwrap();
    let id = fixture.completed_transfer(None).await.transfer_id;
    let key = |n: u32| StorageKey::from_backend(format!("transfers/{id}/requests/{n:08}.json"));
    let service = |n: u32| StorageKey::from_backend(format!("service/2026-01-01/requests/{n:08}.json"));
    let records_of = |n| [(key(n), bytes::Bytes::from_static(b"{}")), (service(n), bytes::Bytes::from_static(b"{}"))];
    let many = (0..4_000).flat_map(records_of).collect();
    fixture.store.commit(Commit { records: many, ..Commit::default() }).await.unwrap();
    let memory = MemoryStore::default();
    let to: Arc<dyn Store> = Arc::new(memory.clone());
    copied(&*fixture.store, &failing_after(35, memory)).await.unwrap_err();
    let half = records(&*to).await.len();
    assert!((1_000..7_000).contains(&half), "{half}");
    let copied = copied(&*fixture.store, &*to).await.unwrap();
    assert!(copied.records > 8_000, "{copied:?}");
    let mut expected = records(&*fixture.store).await;
    expected.retain(|(key, _)| !key.is_delivery_state());
    assert_eq!(records(&*to).await, expected);
}
