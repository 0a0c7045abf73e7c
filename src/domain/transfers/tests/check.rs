//! Integrity check: no findings in a store in normal use, and a finding for each injected fault.

use bytes::Bytes;

use super::*;
use crate::domain::audit::RecordClass;
use crate::domain::id::PayloadId;
use crate::domain::maintenance::check::check;
use crate::domain::store::{Change, Condition, open_header};
use crate::domain::transfer::LATE_UPLOAD_PERIOD;
use crate::domain::wire::TransferQuery;

impl Fixture {
    pub(super) async fn findings(&self) -> Vec<(&'static str, String)> {
        let report = check(&*self.store).await.unwrap();
        assert_eq!(report.finding_count, report.findings.len() as u64);
        report.findings.into_iter().map(|finding| (finding.code, finding.key)).collect()
    }

    pub(super) async fn put(&self, key: &StorageKey, value: impl Into<Bytes>) {
        let found = self.store.get(key).await.unwrap();
        let condition = found.map_or(Condition::Absent, |found| Condition::Is(found.version));
        let change = Change { key: key.clone(), condition, value: value.into() };
        self.store.commit(Commit { change: Some(change), ..Commit::default() }).await.unwrap();
    }

    /// Creates a pending transfer of 3 bytes, of a token with a byte quota.
    pub(super) async fn transfer_with_quota(&self) -> Transfer {
        let request = CreateToken {
            name: "press".to_owned(),
            expires_in_s: None,
            max_transfers: None,
            max_total_bytes: Some(100),
            notifications: None,
        };
        let token = self.tokens.create(&self.scope(ActionName::TokenCreate), request).await.unwrap().0;
        let scope = self.scope(ActionName::TransferCreate);
        self.transfers.create(&scope, &token, &create_request()).await.unwrap().transfer
    }

    pub(super) async fn remove(&self, keys: Vec<StorageKey>) {
        self.store.commit(Commit { removals: keys, ..Commit::default() }).await.unwrap();
    }

    pub(super) async fn used() -> Self {
        let fixture = Self::new();
        fixture.put(&StorageKey::header(), r#"{"v":1,"retain_audit_s":7776000}"#).await;
        fixture
    }
}

#[tokio::test]
async fn a_store_in_use_has_no_findings() {
    let fixture = Fixture::used().await;
    fixture.create_transfer(None).await;
    fixture.completed_transfer(Some(1)).await;
    let deleted = fixture.completed_transfer(None).await;
    fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), deleted.transfer_id).await.unwrap();
    assert_eq!(fixture.findings().await, []);
    fixture.clock.advance(Duration::from_hours(48));
    assert_eq!(fixture.findings().await, [], "a due transfer is a finding");
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.findings().await, []);
}

#[tokio::test]
async fn unreadable_objects_of_all_kinds_are_reported() {
    let fixture = Fixture::used().await;
    let transfer = fixture.completed_transfer(None).await;
    let id = transfer.transfer_id;
    let mut keys = vec![StorageKey::header(), StorageKey::token(transfer.token_id), StorageKey::transfer(id)];
    let prefixes = RecordKind::ALL.map(|kind| StorageKey::transfer_records(id, RecordClass::Change, kind));
    for prefix in prefixes.into_iter().chain([StorageKey::all_idempotency_records(), StorageKey::all_stats()]) {
        keys.push(fixture.store.keys(&prefix, None, 1).await.unwrap().remove(0));
    }
    for key in keys {
        let before = fixture.store.get(&key).await.unwrap().unwrap().value;
        for broken in ["{", r#"{"v":2}"#] {
            fixture.put(&key, broken).await;
            let findings = fixture.findings().await;
            assert!(findings.contains(&("unreadable", key.to_string())), "{key}: {findings:?}");
        }
        fixture.put(&key, before).await;
        assert_eq!(fixture.findings().await, [], "{key}");
    }
}

#[tokio::test]
async fn the_index_entries_of_an_unreadable_transfer_are_no_findings() {
    let fixture = Fixture::new();
    let header = open_header(&*fixture.store, Retention::default()).await.unwrap();
    assert!(header.transfers_indexed);
    let [broken, whole] = [fixture.completed_transfer(None).await, fixture.completed_transfer(None).await];
    let key = StorageKey::transfer(broken.transfer_id);
    let other = fixture.store.get(&StorageKey::transfer(whole.transfer_id)).await.unwrap().unwrap().value;
    let payload = ("stray_payload", format!("payloads/{}/payload.enc", broken.payload_id()));
    // The counters count the transfer, which the check cannot.
    let counters = ("counters", "stats/2026-01-01.json".to_owned());
    let unreadable = vec![("unreadable", key.to_string()), counters.clone()];
    // This payload may be that of the transfer which the object belongs to.
    let wrong_id = vec![("wrong_id", key.to_string()), payload, counters];
    for (content, expected) in [("{".into(), unreadable), (other, wrong_id)] {
        fixture.put(&key, content).await;
        assert_eq!(fixture.findings().await, expected);
    }
}

#[tokio::test]
async fn a_list_leaves_out_an_unreadable_transfer() {
    let fixture = Fixture::new();
    let [broken, whole] = [fixture.completed_transfer(None).await, fixture.completed_transfer(None).await];
    fixture.put(&StorageKey::transfer(broken.transfer_id), "{").await;
    let listed = fixture.transfers.list_all(TransferQuery::default()).await.unwrap();
    assert_eq!(listed.items.iter().map(|item| item.transfer_id).collect::<Vec<_>>(), [whole.transfer_id]);
}

#[tokio::test]
async fn inconsistent_objects_are_reported() {
    let fixture = Fixture::used().await;
    let transfer = fixture.completed_transfer(None).await;
    let key = StorageKey::transfer(transfer.transfer_id);
    let key_text = key.to_string();

    let schedule = fixture.store.keys(&StorageKey::all_schedule_entries(), None, 10).await.unwrap();
    fixture.remove(schedule.clone()).await;
    assert_eq!(fixture.findings().await, [("not_due", key_text.clone())]);
    fixture.put(&schedule[0], "").await;

    let token = StorageKey::token(transfer.token_id);
    let stored = fixture.store.get(&token).await.unwrap().unwrap().value;
    fixture.remove(vec![token.clone()]).await;
    assert_eq!(fixture.findings().await, [("no_token", key_text.clone())]);
    fixture.put(&StorageKey::token(crate::domain::id::TokenId::random()), stored.clone()).await;
    assert_eq!(fixture.findings().await.iter().filter(|(code, _)| *code == "wrong_id").count(), 1);
    fixture.remove(fixture.store.keys(&StorageKey::tokens(), None, 10).await.unwrap()).await;
    fixture.put(&token, stored).await;

    fixture.store.remove(transfer.payload_id()).await.unwrap();
    assert_eq!(fixture.findings().await, [("payload", key_text.clone())]);

    fixture.remove(vec![key]).await;
    let findings = fixture.findings().await;
    assert!(findings.contains(&("no_transfer", key_text)), "{findings:?}");
    assert!(findings.iter().any(|(code, _)| *code == "counters"), "{findings:?}");
}

#[tokio::test]
async fn reads_without_a_schedule_entry_are_reported() {
    let fixture = Fixture::used().await;
    let id = fixture.completed_transfer(None).await.transfer_id;
    fixture.store_reads(id, 3).await;
    assert_eq!(fixture.findings().await, []);
    let schedule = fixture.keys(&StorageKey::all_schedule_entries()).await;
    let entries = schedule.into_iter().filter(|entry| entry.contains(".reads")).map(StorageKey::from_backend);
    fixture.remove(entries.collect()).await;
    let findings = fixture.findings().await;
    assert!(matches!(findings[..], [("not_due", ref key)] if key.contains("/reads/")), "{findings:?}");
}

#[tokio::test]
async fn orphaned_payloads_are_reported() {
    let fixture = Fixture::used().await;
    let write = async |id| {
        let mut writer = fixture.store.writer(id, 0).await.unwrap();
        writer.write(Bytes::from_static(b"abc")).await.unwrap();
        writer.close().await.unwrap();
    };
    let payload = |id| StorageKey::payload(id).to_string();

    let pending = fixture.create_transfer(None).await;
    fixture.send(&pending, b"ab").await.unwrap();
    assert_eq!(fixture.findings().await, [], "an upload in progress is a finding");

    let stray = PayloadId::random();
    write(stray).await;
    assert_eq!(fixture.findings().await, [("stray_payload", payload(stray))]);
    fixture.store.finish(stray, 3).await.unwrap();
    assert_eq!(fixture.findings().await, [("stray_payload", payload(stray))]);
    fixture.store.remove(stray).await.unwrap();

    // The leftover of an upload interrupted by a deletion.
    let id = pending.payload_id();
    fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), pending.transfer_id).await.unwrap();
    write(id).await;
    assert_eq!(fixture.findings().await, [], "bytes that the sweeper will remove are a finding");
    fixture.clock.advance(LATE_UPLOAD_PERIOD);
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.store.received(id).await.unwrap(), 0);
    write(id).await;
    assert_eq!(fixture.findings().await, [("payload_left", payload(id))]);
    fixture.store.remove(id).await.unwrap();
    assert_eq!(fixture.findings().await, []);
}

#[tokio::test]
async fn a_payload_whose_transfer_is_not_in_the_index_stays() {
    let fixture = Fixture::new();
    open_header(&*fixture.store, Retention::default()).await.unwrap();
    let transfer = fixture.completed_transfer(None).await;
    let (key, payload) = (StorageKey::transfer(transfer.transfer_id), transfer.payload_id());
    fixture.remove(vec![StorageKey::payload_owner(payload, transfer.transfer_id)]).await;
    assert_eq!(fixture.findings().await, [("not_listed", key.to_string())]);
    fixture.put(&key, "{").await;
    let report = check(&*fixture.store).await.unwrap();
    let of_payload = report.findings.iter().find(|finding| finding.key == StorageKey::payload(payload).as_str());
    assert_eq!(of_payload.map(|finding| (finding.code, finding.repair())), Some(("stray_payload", None)));
}

#[tokio::test]
async fn quotas_that_differ_from_their_transfers_are_reported() {
    let fixture = Fixture::used().await;
    let Transfer { transfer_id, token_id, .. } = fixture.transfer_with_quota().await;
    assert_eq!(fixture.findings().await, []);
    let key = StorageKey::token(token_id);
    for (bytes, finding) in [(2, "quota"), (4, "quota_high")] {
        let stored = fixture.store.get(&key).await.unwrap().unwrap().value;
        let mut changed: serde_json::Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!(changed["quota"]["bytes_held"], 3);
        changed["quota"]["bytes_held"] = bytes.into();
        fixture.put(&key, changed.to_string()).await;
        assert_eq!(fixture.findings().await, [(finding, key.to_string())]);
        fixture.put(&key, stored).await;
    }
    // The states after crashes between the two writes of a creation, and of a removal.
    let found = fixture.tokens.find(token_id).await.unwrap();
    fixture.transfers.reserve_quota(&found, TransferId::random(), 40).await.unwrap();
    assert_eq!(fixture.findings().await, []);
    fixture.transfers.release_quota(transfer_id, token_id).await.unwrap();
    assert_eq!(fixture.findings().await, []);
}
