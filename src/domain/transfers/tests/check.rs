//! Integrity check: no findings in a store in normal use, and a finding for each injected fault.

use bytes::Bytes;

use super::*;
use crate::domain::maintenance::check::check;
use crate::domain::store::{Change, Condition};

impl World {
    async fn findings(&self) -> Vec<(&'static str, String)> {
        let report = check(&*self.store).await.unwrap();
        assert_eq!(report.finding_count, report.findings.len() as u64);
        report.findings.into_iter().map(|finding| (finding.code, finding.key)).collect()
    }

    async fn put(&self, key: &StorageKey, value: impl Into<Bytes>) {
        let found = self.store.get(key).await.unwrap();
        let condition = found.map_or(Condition::Absent, |found| Condition::Is(found.version));
        let change = Change { key: key.clone(), condition, value: value.into() };
        self.store.commit(Commit { change: Some(change), ..Commit::default() }).await.unwrap();
    }

    async fn remove(&self, keys: Vec<StorageKey>) {
        self.store.commit(Commit { removals: keys, ..Commit::default() }).await.unwrap();
    }

    async fn used() -> Self {
        let world = Self::new();
        world.put(&StorageKey::header(), r#"{"v":1,"retain_audit_s":7776000}"#).await;
        world
    }
}

#[tokio::test]
async fn a_store_in_use_has_no_findings() {
    let world = World::used().await;
    world.created(None).await;
    world.completed(Some(1)).await;
    let deleted = world.completed(None).await;
    world.transfers.delete(&world.scope(ActionName::TransferDelete), deleted.transfer_id).await.unwrap();
    assert_eq!(world.findings().await, []);
    world.clock.advance(Duration::from_hours(48));
    assert_eq!(world.findings().await, [], "a due transfer is a finding");
    world.transfers.sweep().await.unwrap();
    assert_eq!(world.findings().await, []);
}

#[tokio::test]
async fn unreadable_objects_of_all_kinds_are_reported() {
    let world = World::used().await;
    let transfer = world.completed(None).await;
    let id = transfer.transfer_id;
    let mut keys = vec![StorageKey::header(), StorageKey::token(transfer.token_id), StorageKey::transfer(id)];
    let prefixes = RecordKind::ALL.map(|kind| StorageKey::transfer_records(id, kind));
    for prefix in prefixes.into_iter().chain([StorageKey::all_creates(), StorageKey::all_stats()]) {
        keys.push(world.store.keys(&prefix, None, 1).await.unwrap().remove(0));
    }
    for key in keys {
        let before = world.store.get(&key).await.unwrap().unwrap().value;
        for broken in ["{", r#"{"v":2}"#] {
            world.put(&key, broken).await;
            let findings = world.findings().await;
            assert!(findings.contains(&("unreadable", key.to_string())), "{key}: {findings:?}");
        }
        world.put(&key, before).await;
        assert_eq!(world.findings().await, [], "{key}");
    }
}

#[tokio::test]
async fn inconsistent_objects_are_reported() {
    let world = World::used().await;
    let transfer = world.completed(None).await;
    let (id, key) = (transfer.transfer_id, StorageKey::transfer(transfer.transfer_id));
    let key_text = key.to_string();

    let schedule = world.store.keys(&StorageKey::all_schedule_entries(), None, 10).await.unwrap();
    world.remove(schedule.clone()).await;
    assert_eq!(world.findings().await, [("not_due", key_text.clone())]);
    world.put(&schedule[0], "").await;

    let token = StorageKey::token(transfer.token_id);
    let stored = world.store.get(&token).await.unwrap().unwrap().value;
    world.remove(vec![token.clone()]).await;
    assert_eq!(world.findings().await, [("no_token", key_text.clone())]);
    world.put(&StorageKey::token(crate::domain::id::TokenId::random()), stored.clone()).await;
    assert_eq!(world.findings().await.iter().filter(|(code, _)| *code == "wrong_id").count(), 1);
    world.remove(world.store.keys(&StorageKey::tokens(), None, 10).await.unwrap()).await;
    world.put(&token, stored).await;

    world.store.remove(id).await.unwrap();
    assert_eq!(world.findings().await, [("payload", key_text.clone())]);

    world.remove(vec![key]).await;
    let findings = world.findings().await;
    assert!(findings.contains(&("no_transfer", key_text)), "{findings:?}");
    assert!(findings.iter().any(|(code, _)| *code == "counters"), "{findings:?}");
}

#[tokio::test]
async fn orphaned_payloads_are_reported() {
    let world = World::used().await;
    let write = async |id| {
        let mut writer = world.store.writer(id, 0).await.unwrap();
        writer.write(Bytes::from_static(b"abc")).await.unwrap();
        writer.close().await.unwrap();
    };
    let payload = |id| StorageKey::payload(id).to_string();

    let pending = world.created(None).await;
    world.send(&pending, b"ab").await.unwrap();
    assert_eq!(world.findings().await, [], "an upload in progress is a finding");

    let stray = TransferId::random();
    write(stray).await;
    assert_eq!(world.findings().await, [("stray_payload", payload(stray))]);
    world.store.finish(stray, 3).await.unwrap();
    assert_eq!(world.findings().await, [("stray_payload", payload(stray))]);
    world.store.remove(stray).await.unwrap();

    // The leftover of an upload interrupted by a deletion.
    let id = pending.transfer_id;
    world.transfers.delete(&world.scope(ActionName::TransferDelete), id).await.unwrap();
    write(id).await;
    assert_eq!(world.findings().await, [("payload_left", payload(id))]);
    world.store.remove(id).await.unwrap();
    assert_eq!(world.findings().await, []);
}

#[tokio::test]
async fn quotas_that_differ_from_their_transfers_are_reported() {
    let world = World::used().await;
    let request =
        CreateToken { name: "press".to_owned(), expires_in_s: None, max_transfers: None, max_total_bytes: Some(100) };
    let token = world.tokens.create(&world.scope(ActionName::TokenCreate), request).await.unwrap().0;
    let create = CreateTransfer {
        size_bytes: 3,
        expires_in_s: Some(86_400),
        max_downloads: None,
        access_sha256: None,
        idempotency_key: None,
    };
    let transfer =
        world.transfers.create(&world.scope(ActionName::TransferCreate), &token, &create).await.unwrap().transfer;
    assert_eq!(world.findings().await, []);
    let key = StorageKey::token(token.token_id);
    for (bytes, finding) in [(2, "quota"), (4, "quota_high")] {
        let stored = world.store.get(&key).await.unwrap().unwrap().value;
        let mut changed: serde_json::Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!(changed["quota"]["bytes_held"], 3);
        changed["quota"]["bytes_held"] = bytes.into();
        world.put(&key, changed.to_string()).await;
        assert_eq!(world.findings().await, [(finding, key.to_string())]);
        world.put(&key, stored).await;
    }
    // The states after crashes between the two writes of a creation, and of a removal.
    let found = world.tokens.find(token.token_id).await.unwrap();
    world.transfers.reserve_quota(&found, TransferId::random(), 40).await.unwrap();
    assert_eq!(world.findings().await, []);
    world.transfers.release_quota(transfer.transfer_id, token.token_id).await.unwrap();
    assert_eq!(world.findings().await, []);
}
