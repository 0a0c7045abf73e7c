//! Removal of the records of reads before those of changes, and what a sweep costs.

use super::*;
use crate::domain::audit::{Event, Outcome, RecordClass, ResponseInfo, with_read_keys};
use crate::domain::store::FaultyStore;
use crate::domain::wire::{ClientEventKind, RecordPage};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

impl Fixture {
    /// Records a request without a change.
    async fn record(&self, action: ActionName, id: TransferId, exists: bool, status: u16) {
        let scope = self.scope(action);
        scope.set_transfer(id);
        if exists {
            scope.set_existing_transfer(id);
        }
        let outcome = if status < 400 { Outcome::Done } else { Outcome::Refused };
        self.transfers.0.audit.finish(&scope, ResponseInfo { status, outcome, code: None, bytes_out: 0 }).await;
    }

    async fn read(&self, transfer: &Transfer) {
        self.record(ActionName::TransferStatus, transfer.transfer_id, true, 200).await;
    }

    async fn trail(&self, transfer: &Transfer) -> RecordPage {
        self.transfers.list_everything(transfer, None, Some(1_000)).await.unwrap()
    }

    async fn read_keys(&self, id: TransferId) -> Vec<String> {
        let keys = self.keys(&StorageKey::all_of_transfer(id)).await;
        keys.into_iter().filter(|key| key.contains("/reads/")).collect()
    }

    /// Stores `count` records of reads made now, with their schedule entry.
    pub(super) async fn store_reads(&self, id: TransferId, count: usize) {
        let now = self.clock.now();
        let event = || Record::Event(Event::server(self.ids.next(now), None, now, EventKind::AuditTruncated));
        let records = with_read_keys(id, &(0..count).map(|_| event()).collect::<Vec<_>>());
        let schedule = vec![crate::domain::audit::removal_entry(id, now, RETAIN_READS)];
        self.store.commit(Commit { schedule, records, ..Commit::default() }).await.unwrap();
    }

    async fn stored_reads(&self, id: TransferId) -> usize {
        let prefix = StorageKey::transfer_records(id, RecordClass::Read, RecordKind::Event);
        self.store.keys(&prefix, None, 10_000).await.unwrap().len()
    }
}

#[tokio::test]
async fn records_have_the_class_of_their_request() {
    let fixture = Fixture::new();
    let (limited, unlimited) = (fixture.completed_transfer(Some(2)).await, fixture.completed_transfer(None).await);
    for transfer in [&limited, &unlimited] {
        assert_eq!(fixture.read_keys(transfer.transfer_id).await, [""; 0], "changes have the retention of reads");
    }
    let count = async |transfer: &Transfer, result| {
        let scope = fixture.scope(ActionName::DownloadGrant);
        scope.set_existing_transfer(transfer.transfer_id);
        fixture.transfers.count_download(&scope, &own(transfer), &Grant::random(), result).await.unwrap();
        // The record of a request whose status was unknown follows.
        let done = ResponseInfo { status: 200, outcome: Outcome::Done, code: None, bytes_out: 3 };
        fixture.transfers.0.audit.finish(&scope, done).await;
    };
    for result in [ChangeResult::Done, ChangeResult::Undetermined] {
        count(&limited, result).await;
        count(&unlimited, result).await;
    }
    assert_eq!(fixture.read_keys(limited.transfer_id).await, [""; 0]);
    assert_eq!(fixture.read_keys(unlimited.transfer_id).await.len(), 6, "2 requests, actions and events");
    let before = fixture.keys(&StorageKey::all_of_transfer(limited.transfer_id)).await.len();
    fixture.read(&limited).await;
    fixture.record(ActionName::PayloadDownload, limited.transfer_id, true, 403).await;
    let scope = fixture.scope(ActionName::EventAdd);
    fixture.transfers.add_event(&scope, &own(&limited), ClientEventKind::LinkOpened, None, None).await.unwrap();
    assert_eq!(fixture.read_keys(limited.transfer_id).await.len(), 7);
    assert_eq!(fixture.keys(&StorageKey::all_of_transfer(limited.transfer_id)).await.len(), before + 7);
    let service = fixture.keys(&StorageKey::all_service_records()).await.len();
    fixture.record(ActionName::TransferStatus, TransferId::random(), false, 404).await;
    assert_eq!(fixture.keys(&StorageKey::all_service_reads()).await.len(), 2);
    assert_eq!(fixture.keys(&StorageKey::all_service_records()).await.len(), service + 2);
}

#[tokio::test]
async fn reads_are_removed_before_changes_and_the_list_says_so() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let changes = fixture.trail(&transfer).await.items;
    fixture.read(&transfer).await;
    fixture.record(ActionName::TransferStatus, TransferId::random(), false, 404).await;
    let all = fixture.trail(&transfer).await;
    assert_eq!((all.items.len(), all.reads_since), (changes.len() + 2, None));

    fixture.clock.advance(RETAIN_READS);
    fixture.transfers.sweep().await.unwrap();
    let expired = fixture.trail(&transfer).await.items;
    assert_eq!(expired.len(), all.items.len() + 2, "expiry and removal of the payload are recorded");
    fixture.read(&transfer).await;

    // Not listed from this moment on, whenever a sweep removes them.
    fixture.clock.advance(Duration::from_millis(1));
    let page = fixture.trail(&transfer).await;
    assert_eq!(page.reads_since, Some(fixture.clock.now().minus(RETAIN_READS)));
    assert_eq!(page.items[..changes.len()], changes);
    assert_eq!(page.items.len(), changes.len() + 4, "the latest read is listed");
    assert_eq!(fixture.read_keys(transfer.transfer_id).await.len(), 4);

    fixture.clock.advance(DAY + MINUTE);
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.read_keys(transfer.transfer_id).await.len(), 2, "the latest read is kept");
    fixture.clock.advance(DAY);
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.keys(&StorageKey::all_service_reads()).await, [""; 0]);
    assert_eq!(fixture.trail(&transfer).await.items, page.items);

    fixture.clock.advance(RETAIN_READS);
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.read_keys(transfer.transfer_id).await, [""; 0]);
    assert_eq!(fixture.trail(&transfer).await.items.len(), changes.len() + 2, "changes are kept");
    fixture.clock.set(transfer.own_link.expires_at.plus(RETAIN + DAY));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.keys(&StorageKey::all_of_transfer(transfer.transfer_id)).await, [""; 0]);
    assert_eq!(fixture.keys(&StorageKey::all_schedule_entries()).await, [""; 0]);
}

#[tokio::test]
async fn pages_contain_each_record_once_while_reads_are_removed() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(Some(100)).await;
    for _ in 0..10 {
        fixture.read(&transfer).await;
        let scope = fixture.scope(ActionName::DownloadGrant);
        let grant = Grant::random();
        fixture.transfers.count_download(&scope, &own(&transfer), &grant, ChangeResult::Done).await.unwrap();
        fixture.clock.advance(Duration::from_millis(1));
    }
    let whole = fixture.trail(&transfer).await.items;
    assert!(whole.is_sorted_by_key(Record::id) && whole.len() >= 50);
    for (pages_before, limit) in [(usize::MAX, 1), (usize::MAX, 7), (2, 7)] {
        let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            if pages == pages_before {
                fixture.clock.advance(RETAIN_READS + DAY * 2);
                fixture.transfers.sweep().await.unwrap();
            }
            let page = fixture.transfers.list_everything(&transfer, after, Some(limit)).await.unwrap();
            listed.extend(page.items.iter().map(Record::id));
            pages += 1;
            let Some(next) = page.next else { break };
            after = Some(next.parse().unwrap());
        }
        assert!(listed.is_sorted_by(|a, b| a < b), "a page repeats a record");
        let is_listed = |record: &&Record| listed.contains(&record.id());
        let missing: Vec<_> = whole.iter().filter(|record| !is_listed(record)).collect();
        if pages_before == usize::MAX {
            assert!(missing.is_empty(), "{missing:?}");
        } else {
            let kept: Vec<_> = fixture.trail(&transfer).await.items.iter().map(Record::id).collect();
            assert!(!missing.is_empty() && missing.iter().all(|record| !kept.contains(&record.id())), "{missing:?}");
        }
    }
}

#[tokio::test]
async fn a_sweep_costs_what_is_due() {
    let store = Arc::new(FaultyStore::over(MemoryStore::default()));
    let fixture = Fixture::with_store(store.clone());
    let (large, small) = (TransferId::random(), TransferId::random());
    fixture.store_reads(large, 2_600).await;
    fixture.store_reads(small, 3).await;
    fixture.clock.advance(DAY * 2);
    for _ in 0..300 {
        fixture.store_reads(TransferId::random(), 10).await;
    }
    fixture.store_reads(small, 700).await;
    let cost = async || {
        let before = store.operations();
        fixture.transfers.sweep().await.unwrap();
        store.operations() - before
    };
    let idle = cost().await;
    assert!(idle <= 5, "a sweep with nothing due made {idle} operations");

    fixture.clock.set(START.plus(RETAIN_READS + DAY + MINUTE));
    let first = cost().await;
    assert_eq!(fixture.stored_reads(large).await, 600, "one visit removes up to 2 000 records of a kind");
    assert_eq!(fixture.stored_reads(small).await, 700, "another transfer waits for a large one");
    assert!(first <= idle + 2 * (3 + 2 * 4 + 1), "{first} operations");
    fixture.clock.advance(MINUTE);
    let second = cost().await;
    assert_eq!(fixture.stored_reads(large).await, 0);
    assert!(second <= idle + 3 + 2 * 4 + 1, "{second} operations");
    fixture.clock.advance(MINUTE);
    assert_eq!(cost().await, idle, "a transfer without records that are due is visited");
    let entries = fixture.keys(&StorageKey::all_schedule_entries()).await;
    assert_eq!(entries.len(), 301, "one entry per transfer with records");
}

#[tokio::test]
async fn a_popular_transfer_has_one_schedule_entry_per_day() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let other_server = Fixture::second_process(&fixture);
    for _ in 0..(24 * 3) {
        fixture.read(&transfer).await;
        other_server.read(&transfer).await;
        fixture.clock.advance(Duration::from_hours(1));
    }
    let entries = fixture.keys(&StorageKey::all_schedule_entries()).await;
    let reads = entries.iter().filter(|entry| entry.contains(".reads")).count();
    assert!((3..=4).contains(&reads), "{entries:?}");
}

#[tokio::test]
async fn reads_of_a_removed_transfer_are_removed_when_due() {
    let fixture = Fixture::new();
    let gone = TransferId::random();
    // Written by a server that did not know of the removal yet.
    fixture.store_reads(gone, 2).await;
    fixture.clock.advance(RETAIN_READS + DAY + MINUTE);
    assert_eq!(fixture.transfers.sweep().await.unwrap().failed, 0);
    assert_eq!(fixture.stored_reads(gone).await, 0);
    assert_eq!(fixture.keys(&StorageKey::all_schedule_entries()).await, [""; 0]);
}

#[tokio::test]
async fn records_and_counters_of_old_days_are_removed() {
    let fixture = Fixture::new();
    fixture.token().await;
    fixture.create_transfer(None).await;
    let counts = async || {
        let service = fixture.keys(&StorageKey::all_service_records()).await.len();
        (service, fixture.keys(&StorageKey::all_stats()).await.len())
    };
    fixture.clock.set(START.plus(RETAIN));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(
        counts().await,
        (4, 2),
        "expected two records for each of two tokens, and counters of the days of creation and expiry"
    );
    fixture.clock.advance(Duration::from_hours(24));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(counts().await.0, 0);
    fixture.clock.set(START.plus(Duration::from_hours(24 * 401)));
    fixture.transfers.sweep().await.unwrap();
    assert!(!fixture.keys(&StorageKey::all_stats()).await.contains(&format!("stats/{}.json", START.day())));
    fixture.clock.set(START.plus(Duration::from_hours(24 * 4_000)));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(counts().await.1, 1, "removing the last day's counters also removed the totals");
}
