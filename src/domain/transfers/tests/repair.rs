//! Repair: each damage is found, repaired, recorded and gone; a killed repair is finished by the next.

use bytes::Bytes;

use super::*;
use crate::domain::audit::Outcome;
use crate::domain::id::PayloadId;
use crate::domain::maintenance::check::{CheckReport, StoreFinding, check};
use crate::domain::maintenance::repair::{RepairReport, repair};
use crate::domain::store::{FaultInjector, FaultyStore, Records, read};
use crate::domain::transfer::{DeletionCause, LATE_UPLOAD_PERIOD, PayloadState, State};

/// Store with every damage that can be repaired.
struct Damaged {
    fixture: Fixture,
    memory: MemoryStore,
    /// Transfer whose payload is lost.
    lost: Transfer,
    /// Transfer that is complete, and missing from the schedule.
    unscheduled: Transfer,
}

/// Codes of the findings in a [`Damaged`] store, sorted.
const DAMAGES: [&str; 13] = [
    "counters",
    "no_transfer",
    "not_due",
    "not_due",
    "payload",
    "payload_left",
    "quota",
    "stray_entry",
    "stray_entry",
    "stray_entry",
    "stray_entry",
    "stray_payload",
    "stray_payload",
];

impl Damaged {
    async fn new() -> Self {
        let memory = MemoryStore::default();
        let fixture = Fixture::with_store(Arc::new(memory.clone()));
        fixture.put(&StorageKey::header(), r#"{"v":1,"retain_audit_s":7776000}"#).await;
        let write = async |id| {
            let mut writer = fixture.store.writer(id, 0).await.unwrap();
            writer.write(Bytes::from_static(b"ab")).await.unwrap();
            writer.close().await.unwrap();
        };
        let deleted = fixture.completed_transfer(None).await;
        fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), deleted.transfer_id).await.unwrap();
        // From here on, nothing of the service removes its payload.
        fixture.clock.advance(LATE_UPLOAD_PERIOD);
        fixture.transfers.sweep().await.unwrap();
        let (lost, unscheduled) = (fixture.completed_transfer(Some(2)).await, fixture.completed_transfer(None).await);
        let (orphaned, read_by_many) = (fixture.completed_transfer(None).await, fixture.completed_transfer(None).await);
        fixture.store_reads(read_by_many.transfer_id, 3).await;
        let token = StorageKey::token(fixture.transfer_with_quota().await.token_id);
        let schedule = fixture.keys(&StorageKey::all_schedule_entries()).await;
        let unscheduled_id = unscheduled.transfer_id.to_string();
        let lost_entries = |entry: &String| entry.contains(".reads") || entry.ends_with(&unscheduled_id);
        fixture.remove(schedule.into_iter().filter(lost_entries).map(StorageKey::from_backend).collect()).await;
        fixture.store.remove(lost.payload_id()).await.unwrap();
        fixture.remove(vec![StorageKey::transfer(orphaned.transfer_id)]).await;
        write(deleted.payload_id()).await;
        write(PayloadId::random()).await;
        let stored = fixture.store.get(&token).await.unwrap().unwrap().value;
        let mut changed: serde_json::Value = serde_json::from_slice(&stored).unwrap();
        changed["quota"]["bytes_held"] = 1.into();
        fixture.put(&token, changed.to_string()).await;
        // Records of a later time follow those of an earlier one.
        fixture.clock.advance(Duration::from_secs(1));
        Self { fixture, memory, lost, unscheduled }
    }

    async fn codes(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> = self.fixture.findings().await.into_iter().map(|(code, _)| code).collect();
        codes.sort_unstable();
        codes
    }
}

impl Fixture {
    async fn check(&self) -> CheckReport {
        check(&*self.store).await.unwrap()
    }

    async fn repair(&self) -> RepairReport {
        repair(&*self.store, &*self.clock, self.check().await).await.unwrap()
    }

    /// Returns the codes of all recorded repairs, sorted.
    async fn recorded_repairs(&self) -> Vec<String> {
        let objects = self.store.list(&StorageKey::all_objects(), None, 10_000).await.unwrap().items;
        let actions = objects.iter().filter(|(key, _)| key.as_str().contains("/actions/"));
        let records = actions.map(|(_, value)| serde_json::from_slice(value).unwrap());
        let repairs = records.filter_map(|record| match record {
            Record::Action(action) if action.action == ActionName::StoreRepair => Some(action),
            _ => None,
        });
        let code = |action: crate::domain::audit::Action| {
            assert_eq!(action.outcome, Outcome::Done);
            action.repaired.unwrap().finding
        };
        let mut codes: Vec<_> = repairs.map(code).collect();
        codes.sort_unstable();
        codes
    }
}

#[tokio::test]
async fn every_damage_is_repaired_and_recorded_once() {
    let damaged = Damaged::new().await;
    let fixture = &damaged.fixture;
    assert_eq!(damaged.codes().await, DAMAGES);
    let report = fixture.repair().await;
    assert_eq!((report.repaired, &report.skipped), (DAMAGES.len() as u64, &Vec::new()));
    assert_eq!(report.left.findings, []);
    assert_eq!(fixture.recorded_repairs().await, DAMAGES);
    let again = fixture.repair().await;
    assert_eq!((again.repaired, again.skipped, again.left.findings), (0, Vec::new(), Vec::new()));
    assert_eq!(fixture.recorded_repairs().await, DAMAGES);

    fixture.clock.advance(Duration::from_secs(1));
    // Clients learn that the transfer was deleted, and the sweeper takes the rest of it.
    let scope = fixture.scope(ActionName::TransferStatus);
    let lost = fixture.transfers.find(&scope, damaged.lost.transfer_id).await.unwrap();
    assert!(matches!(lost.state, State::Deleted { cause: DeletionCause::PayloadLost, .. }));
    assert!(matches!(lost.own_link_at(fixture.clock.now()).check_downloadable(true), Err(Error::TransferDeleted)));
    fixture.transfers.sweep().await.unwrap();
    let lost = fixture.transfers.find(&scope, damaged.lost.transfer_id).await.unwrap();
    assert_eq!(lost.payload, PayloadState::Removed);
    assert_eq!(fixture.events(lost.transfer_id).await[2..], [EventKind::TransferDeleted, EventKind::PayloadRemoved]);
    assert_eq!(fixture.findings().await, []);
    // The transfer that was missing from the schedule expires like any other.
    fixture.clock.set(damaged.unscheduled.own_link.expires_at);
    fixture.transfers.sweep().await.unwrap();
    let expired = fixture.transfers.find(&scope, damaged.unscheduled.transfer_id).await.unwrap();
    assert_eq!(expired.payload, PayloadState::Removed);
    assert_eq!(fixture.findings().await, []);
}

#[tokio::test]
async fn a_repair_that_is_killed_anywhere_is_finished_by_the_next() {
    for operations in (0..).step_by(3) {
        let damaged = Damaged::new().await;
        let found = damaged.fixture.check().await;
        let injector = FaultInjector::failing_after(operations);
        let dying = FaultyStore::over(damaged.memory.clone()).with(injector);
        let killed = repair(&dying, &*damaged.fixture.clock, found).await;
        damaged.fixture.repair().await;
        assert_eq!(damaged.fixture.findings().await, [], "killed after {operations} operations");
        let recorded = damaged.fixture.recorded_repairs().await;
        assert!(DAMAGES.iter().all(|code| recorded.iter().any(|recorded| recorded == code)), "{recorded:?}");
        if killed.is_ok_and(|report| report.skipped.is_empty()) {
            assert!(operations > 20, "the repair took {operations} operations only");
            return;
        }
    }
}

#[tokio::test]
async fn what_has_changed_since_the_check_is_not_repaired() {
    let damaged = Damaged::new().await;
    let fixture = &damaged.fixture;
    let found = fixture.check().await;
    // Another process removes the damage, or what is damaged, before the repair.
    let healthy = fixture.repair().await;
    assert_eq!(healthy.left.findings, []);
    let before = fixture.keys(&StorageKey::all_objects()).await;
    let report = repair(&*fixture.store, &*fixture.clock, found).await.unwrap();
    let skipped: Vec<_> = report.skipped.iter().map(|skipped| skipped.code).collect();
    for code in ["payload", "no_transfer", "quota", "counters", "stray_payload", "payload_left"] {
        assert!(skipped.contains(&code), "{code} was repaired again: {skipped:?}");
    }
    assert_eq!(report.left.findings, []);
    let lost = StorageKey::transfer(damaged.lost.transfer_id);
    assert!(read::<Transfer>(&*fixture.store, &lost).await.unwrap().is_some());
    assert!(fixture.keys(&StorageKey::all_objects()).await.len() >= before.len());
}

#[tokio::test]
async fn transfers_stay_if_no_payload_can_be_found() {
    let fixture = Fixture::used().await;
    let transfers = [fixture.completed_transfer(None).await, fixture.completed_transfer(None).await];
    for transfer in &transfers {
        fixture.store.remove(transfer.payload_id()).await.unwrap();
    }
    let report = fixture.repair().await;
    assert_eq!((report.repaired, report.left.finding_count), (0, 2));
    let is_kept = |finding: &StoreFinding| finding.repair().is_none() && finding.advice.contains("mounted");
    assert!(report.left.findings.iter().all(is_kept), "{:?}", report.left.findings);
}

#[tokio::test]
async fn invalid_schedule_entries_and_unreadable_counters_are_repaired() {
    let fixture = Fixture::used().await;
    fixture.completed_transfer(None).await;
    fixture.put(&StorageKey::from_backend("due/2026-01-01T00:00/nonsense".to_owned()), "").await;
    let stats = StorageKey::from_backend(fixture.keys(&StorageKey::all_stats()).await.remove(0));
    fixture.put(&stats, "{").await;
    assert_eq!(fixture.check().await.finding_count, 2);
    assert_eq!(fixture.repair().await.repaired, 2);
    assert_eq!(fixture.findings().await, []);
    let overview = fixture.transfers.overview(&fixture.tokens).await.unwrap();
    assert_eq!((overview.transfers.completed, overview.bytes_stored), (1, 3));
}

#[tokio::test]
async fn damage_without_a_repair_stays_with_its_advice() {
    let fixture = Fixture::used().await;
    let transfer = fixture.completed_transfer(None).await;
    fixture.remove(vec![StorageKey::token(transfer.token_id)]).await;
    let report = fixture.repair().await;
    assert_eq!(report.repaired, 0);
    assert!(matches!(&report.left.findings[..], [finding] if finding.code == "no_token" && finding.repair().is_none()));
}

/// Time after which servers write their counters in the store of the tests below.
const COUNTER_DELAY: Duration = Duration::from_secs(75);

/// Store with a wrong counter, in a backend that writes counters later.
async fn wrong_counters() -> (Fixture, MemoryStore) {
    let memory = MemoryStore::default();
    let store = FaultyStore::over(memory.clone()).with_counter_delay(COUNTER_DELAY);
    let fixture = Fixture::with_store(Arc::new(store));
    fixture.put(&StorageKey::header(), r#"{"v":1,"retain_audit_s":7776000}"#).await;
    fixture.completed_transfer(None).await;
    let stats = StorageKey::from_backend(fixture.keys(&StorageKey::all_stats()).await.remove(0));
    let stored = fixture.store.get(&stats).await.unwrap().unwrap().value;
    let mut changed: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    changed["transfers"]["completed"] = 7.into();
    fixture.put(&stats, changed.to_string()).await;
    (fixture, memory)
}

#[tokio::test(start_paused = true)]
async fn counters_that_servers_write_later_are_repaired_after_a_wait() {
    let (fixture, _) = wrong_counters().await;
    let started = tokio::time::Instant::now();
    let report = fixture.repair().await;
    assert_eq!((report.repaired, report.left.findings), (1, Vec::new()));
    assert!(started.elapsed() >= COUNTER_DELAY);
}

#[tokio::test(start_paused = true)]
async fn counters_that_a_server_writes_meanwhile_are_not_repaired() {
    let (fixture, memory) = wrong_counters().await;
    let write = async {
        tokio::time::sleep(COUNTER_DELAY / 2).await;
        let delta = CounterDelta { downloads: 1, ..CounterDelta::on(START.day()) };
        memory.commit(Commit { counter_delta: Some(delta), ..Commit::default() }).await.unwrap();
    };
    let (report, ()) = tokio::join!(fixture.repair(), write);
    assert_eq!((report.repaired, report.skipped.len()), (0, 1), "{report:?}");
    assert_eq!(report.left.finding_count, 1);
}
