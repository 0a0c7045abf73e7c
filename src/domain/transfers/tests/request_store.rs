//! Uploads of guests in the store: expiry, kills, and copies.

use super::requests::Requested;
use super::*;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::maintenance::check::check;
use crate::domain::maintenance::copy::{CopyObserver, copy};
use crate::domain::store::{FaultInjector, FaultyStore};
use crate::domain::token::AuthenticatedToken;
use crate::domain::transfer::Guest;

#[tokio::test]
async fn an_expired_upload_of_a_guest_is_released_in_both_quotas() {
    let requested = Requested::with((None, None), (None, None)).await;
    let transfer = requested.create().await.unwrap();
    requested.fixture.clock.set(transfer.own_link.expires_at);
    assert_eq!(requested.used().await, [(1, 3), (1, 3)]);
    requested.fixture.transfers.sweep().await.unwrap();
    assert_eq!(requested.used().await, [(1, 0), (1, 0)]);
    requested.fixture.clock.advance(RETAIN + Duration::from_hours(24));
    requested.fixture.transfers.sweep().await.unwrap();
    assert_eq!(requested.used().await, [(1, 0), (1, 0)]);
    assert_eq!(check(&*requested.fixture.store).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_creation_that_is_killed_anywhere_exceeds_neither_quota() {
    for operations in 0..14 {
        let memory = MemoryStore::default();
        let clock = Arc::new(ManualClock::at(START));
        let requested = Requested::over(
            Fixture::with_store_and_clock(Arc::new(memory.clone()), clock.clone()),
            (Some(2), None),
            (Some(2), None),
        )
        .await;
        let dying = FaultyStore::over(memory).with(FaultInjector::failing_after(operations));
        let dying = Fixture::with_store_and_clock(Arc::new(dying), clock.clone());
        let AuthenticatedToken { token, owner } = requested.authenticate().await.unwrap();
        let guest = Guest { owner: &owner.unwrap(), proof_sha256: GuestProof::random().digest() };
        let scope = dying.scope(ActionName::TransferCreate);
        let killed = dying.transfers.create_as_guest(&scope, &token, guest, &create_request()).await.is_err();
        let exists =
            usize::from(!requested.fixture.store.keys(&StorageKey::all_transfers(), None, 1).await.unwrap().is_empty());
        assert!(killed || exists == 1, "{operations} operations");
        let mut created = exists;
        // A reservation of the killed process counts as abandoned after an hour.
        for _ in 0..4 {
            created += usize::from(requested.create().await.is_ok());
            clock.advance(Duration::from_mins(61));
            requested.renew().await;
        }
        assert_eq!(created, 2, "{operations} operations");
        assert_eq!(check(&*requested.fixture.store).await.unwrap().findings, [], "{operations} operations");
    }
}

#[tokio::test]
async fn requests_and_their_transfers_move_with_a_copy_of_the_store() {
    struct Silent;
    impl CopyObserver for Silent {
        fn begin(&self, _: u64) {}
        fn transferred(&self, _: u64) {}
        fn compares(&self) {}
    }
    let requested = Requested::with((None, None), (Some(2), None)).await;
    requested.create().await.unwrap();
    let target = MemoryStore::default();
    copy(&*requested.fixture.store, &target, "file:/srv/original", &Silent).await.unwrap();
    assert_eq!(check(&target).await.unwrap().findings, []);
    let fixture = Fixture::with_store_and_clock(Arc::new(target), requested.fixture.clock.clone());
    let moved = Requested { fixture, ..requested };
    moved.create().await.unwrap();
    assert_eq!(moved.used().await, [(2, 6), (2, 6)]);
    assert!(matches!(moved.create().await, Err(Error::QuotaExceeded { .. })));
}
