//! Grants, counts and records of downloads, with and without room for them.

use super::*;
use crate::domain::limits::free_space::{FreeSpace, SpaceReading};
use crate::domain::store::FaultyStore;

const MIB: u64 = 1 << 20;

async fn download(fixture: &Fixture, transfer: &Transfer, grant: &Grant) -> RequestScope {
    let scope = fixture.scope(ActionName::DownloadGrant);
    fixture.transfers.count_download(&scope, &own(transfer), grant, ChangeResult::Done).await.unwrap();
    scope
}

/// Returns a fixture whose store has the given free space, of 1 GiB.
fn with_free_space(memory: &MemoryStore, free: u64) -> Fixture {
    let space = SpaceReading { space: Some(FreeSpace { free, total: 1 << 30 }), ..SpaceReading::default() };
    Fixture::with_store(Arc::new(FaultyStore::over(memory.clone()).with_space(space)))
}

#[tokio::test]
async fn downloads_of_an_unlimited_transfer_are_counted() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    for _ in 0..3 {
        let scope = fixture.scope(ActionName::DownloadGrant);
        fixture.transfers.count_download(&scope, &own(&transfer), &Grant::random(), ChangeResult::Done).await.unwrap();
    }
    fixture.transfers.flush_counts().await;
    fixture.transfers.flush_counts().await;
    let found = fixture.transfers.find(&fixture.scope(ActionName::TransferStatus), transfer.transfer_id).await.unwrap();
    assert_eq!(found.own_link.download_count(), 3);
    assert_eq!(fixture.transfers.overview(&fixture.tokens).await.unwrap().downloads, 3);
}

#[tokio::test]
async fn a_low_disk_takes_only_what_exactness_needs() {
    let memory = MemoryStore::default();
    let ample = with_free_space(&memory, 1 << 30);
    let (unlimited, limited) = (ample.completed_transfer(None).await, ample.completed_transfer(Some(2)).await);
    // The minimum is 256 MiB.
    for (free, is_written) in [(255 * MIB, true), (127 * MIB, false)] {
        let low = with_free_space(&memory, free);
        let objects = async || low.keys(&StorageKey::all_of_transfer(unlimited.transfer_id)).await.len();
        let (before, grant) = (objects().await, Grant::random());
        let scope = download(&low, &unlimited, &grant).await;
        assert_eq!(objects().await > before, is_written, "{free} bytes are free");
        assert_eq!(scope.audit_state() == AuditState::Action, is_written);
        let known = low.transfers.find_grant(&own(&unlimited), &grant).await.unwrap();
        assert!(known.is_some(), "the grant is unknown to the process that gave it");
        // The same grant counts once.
        download(&low, &unlimited, &grant).await;
        low.transfers.flush_counts().await;
        let before = low.events(limited.transfer_id).await.len();
        let scope = download(&low, &limited, &Grant::random()).await;
        assert_eq!(scope.audit_state(), AuditState::Complete, "a limited download was not recorded");
        assert!(low.events(limited.transfer_id).await.len() > before);
    }
    let found = ample.transfers.find(&ample.scope(ActionName::TransferStatus), unlimited.transfer_id).await.unwrap();
    assert_eq!(found.own_link.download_count(), 2);
    assert_eq!(ample.transfers.overview(&ample.tokens).await.unwrap().downloads, 4);
}

#[tokio::test]
async fn a_written_commit_sets_the_audit_state_of_its_scope() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(Some(1)).await;
    let scope = fixture.scope(ActionName::DownloadGrant);
    let commit = scope.transfer_commit(transfer.transfer_id, START, ChangeResult::Done, &[], Commit::default());
    drop(commit);
    assert_eq!(scope.audit_state(), AuditState::Missing, "a dropped commit counts as written");
    let grant = Grant::random();
    fixture.transfers.count_download(&scope, &own(&transfer), &grant, ChangeResult::Done).await.unwrap();
    assert_eq!(scope.audit_state(), AuditState::Complete);
    let second = fixture.scope(ActionName::DownloadGrant);
    fixture.transfers.count_download(&second, &own(&transfer), &grant, ChangeResult::Done).await.unwrap();
    assert_eq!(second.audit_state(), AuditState::Missing, "a request without a change counts as recorded");
    let deleting = fixture.scope(ActionName::TransferDelete);
    fixture.transfers.delete(&deleting, transfer.transfer_id).await.unwrap();
    assert_eq!(deleting.audit_state(), AuditState::Action);
}
