//! Further links in checks, repairs and copies of a store.

use super::*;
use crate::domain::maintenance::check::check;
use crate::domain::maintenance::copy::{CopyObserver, copy};
use crate::domain::maintenance::repair::repair;
use crate::domain::store::{Records, StoreHeader};

struct Quiet;

impl CopyObserver for Quiet {
    fn begin(&self, _: u64) {}
    fn transferred(&self, _: u64) {}
    fn compares(&self) {}
}

#[tokio::test]
async fn a_store_with_links_has_no_findings_and_is_copied_whole() {
    let fixture = Fixture::used().await;
    let (transfer, limited) = fixture.linked_transfer(Some(2)).await;
    let unlimited = fixture.link(&transfer, None).await;
    let grant = Grant::random();
    fixture.get(&limited, &grant).await.unwrap();
    fixture.get(&unlimited, &grant).await.unwrap();
    assert_eq!(fixture.findings().await, []);
    let copied = MemoryStore::default();
    copy(&*fixture.store, &copied, "file:/srv/original", &Quiet).await.unwrap();
    let all = StorageKey::all_objects();
    let mut originals = fixture.store.list(&all, None, 10_000).await.unwrap().items;
    // Notifications that wait for delivery are not copied: two stores would deliver them twice.
    originals.retain(|(key, _)| !key.as_str().starts_with(StorageKey::whole_outbox().as_str()));
    assert_eq!(copied.list(&all, None, 10_000).await.unwrap().items, originals);
    assert_eq!(check(&copied).await.unwrap().findings, []);
    // The copy serves what the original serves.
    let server = Fixture::with_store_and_clock(Arc::new(copied), fixture.clock.clone());
    for link in [&limited, &unlimited] {
        server.get(link, &grant).await.unwrap();
    }
    assert_eq!(server.stored_link(limited.id).await.link.download_count(), 1);
    assert_eq!(server.store.received(transfer.payload_id()).await.unwrap(), 3);
}

#[tokio::test]
async fn links_that_belong_to_no_transfer_are_found_and_removed() {
    let fixture = Fixture::used().await;
    let (transfer, kept) = fixture.linked_transfer(None).await;
    let (unlisted, orphaned) = (fixture.link(&transfer, None).await, fixture.link(&transfer, None).await);
    for link in [&kept, &unlisted, &orphaned] {
        fixture.get(link, &Grant::random()).await.unwrap();
    }
    let changed = fixture.transfers.change(transfer.transfer_id, |mut transfer| {
        transfer.links.retain(|id| *id == kept.id);
        Ok(Swap::write(transfer, Commit::default(), ()))
    });
    changed.await.unwrap();
    fixture.remove(vec![StorageKey::link(orphaned.id)]).await;
    let mut expected = [unlisted.id, orphaned.id].map(|id| ("stray_link", StorageKey::link(id).to_string()));
    expected.sort();
    let mut found = fixture.findings().await;
    found.sort();
    assert_eq!(found, expected);
    assert!(matches!(fixture.get(&unlisted, &Grant::random()).await, Err(Error::TransferNotFound)));
    let report = check(&*fixture.store).await.unwrap();
    let report = repair(&*fixture.store, &*fixture.clock, report).await.unwrap();
    assert_eq!((report.repaired, report.left.findings), (2, Vec::new()));
    let left = fixture.keys(&StorageKey::all_links()).await;
    assert!(left.iter().all(|key| key.contains(&kept.id.to_string())), "{left:?}");
    fixture.get(&kept, &Grant::random()).await.unwrap();
}

#[tokio::test]
async fn a_damaged_link_is_reported() {
    let fixture = Fixture::used().await;
    let (_, link) = fixture.linked_transfer(None).await;
    let key = StorageKey::link(link.id);
    fixture.put(&key, "{").await;
    assert_eq!(fixture.findings().await, [("unreadable", key.to_string())]);
}

#[tokio::test]
async fn an_upgraded_store_takes_further_links() {
    let fixture = Fixture::used().await;
    let transfer = fixture.completed_transfer(Some(1)).await;
    let key = StorageKey::transfer(transfer.transfer_id);
    let stored = fixture.store.get(&key).await.unwrap().unwrap().value;
    let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    for member in ["links", "own_link", "limit_history", "last_download_at"] {
        assert!(stored.get(member).is_none(), "a transfer without further links has the member {member}");
    }
    let header = crate::domain::store::upgrade_layout(&*fixture.store).await.unwrap();
    assert_eq!(header.v.number(), 4);
    assert_eq!(StoreHeader::of(&*fixture.store).await.unwrap(), Some(header));
    let link = fixture.link(&transfer, Some(1)).await;
    fixture.get(&link, &Grant::random()).await.unwrap();
    assert_eq!(fixture.findings().await, []);
}
