//! Access by the id of a transfer alone, while store or clock are faulty.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::proof::AccessProof;
use crate::domain::store::{FaultInjector, FaultyStore, MemoryStore};

/// More store operations than any request below uses.
const OPERATIONS: u64 = 40;

/// A completed transfer that requires an access proof.
pub(super) struct Protected {
    pub(super) transfer: Transfer,
    pub(super) proof: AccessProof,
}

impl Fixture {
    /// Creates and completes a transfer that requires an access proof, with or without a passphrase.
    pub(super) async fn protected(&self, max_downloads: Option<u32>, access_from_passphrase: bool) -> Protected {
        let proof = AccessProof::of(&PayloadKey::random());
        let access_sha256 = Some(proof.digest());
        let request = CreateTransfer { max_downloads, access_sha256, access_from_passphrase, ..create_request() };
        let scope = self.scope(ActionName::TransferCreate);
        let created = self.transfers.create(&scope, &self.token().await, &request).await.unwrap().transfer;
        self.send(&created, b"abc").await.unwrap();
        let transfer = self
            .transfers
            .complete(&self.scope(ActionName::UploadComplete), created, &CompleteUpload::default())
            .await
            .unwrap();
        Protected { transfer, proof }
    }

    /// Requests downloads in all ways, with no proof and with a wrong one; returns the errors.
    pub(super) async fn expect_nothing_without_proof(&self, transfer: &Transfer) -> Vec<Error> {
        let wrong = AccessProof::of(&PayloadKey::random());
        let (transfers, scope) = (&self.transfers, || self.scope(ActionName::DownloadGrant));
        let mut errors = Vec::new();
        for proof in [None, Some(&wrong)] {
            for grant in [None, Some(Grant::random())] {
                let grant = grant.as_ref();
                let chosen = grant.map(|_| Grant::random());
                let scopes = (scope(), scope(), scope());
                let bytes = transfers.download(&scopes.0, &own(transfer), proof, grant, Some(0..3)).await;
                errors.push(bytes.map(drop).expect_err("the id alone gives the payload"));
                let granted = transfers.create_download(&scopes.1, &own(transfer), proof, chosen).await;
                errors.push(granted.map(drop).expect_err("the id alone uses up a download"));
                let head = transfers.check_download(&scopes.2, &own(transfer), proof, grant).await;
                errors.push(head.expect_err("the id alone is accepted"));
            }
        }
        errors
    }
}

#[tokio::test]
async fn an_id_alone_gives_nothing_whichever_operation_fails() {
    let memory = MemoryStore::default();
    let sound = Fixture::with_store(Arc::new(memory.clone()));
    for (max_downloads, by_passphrase) in [(Some(2), false), (Some(2), true), (None, true)] {
        let Protected { transfer, proof } = sound.protected(max_downloads, by_passphrase).await;
        let (mut failures, mut successes) = (0, 0);
        for number in 0..OPERATIONS {
            let faulty = FaultyStore::over(memory.clone()).with(FaultInjector::failing_after(number));
            let failing = Fixture::with_store(Arc::new(faulty));
            let errors = failing.expect_nothing_without_proof(&transfer).await;
            failures += errors.iter().filter(|error| matches!(error, Error::StorageUnavailable(_))).count();
            // The attempts of each process are counted anew, and the right proof is not one of them.
            let scope = failing.scope(ActionName::DownloadGrant);
            let checked = failing.transfers.check_download(&scope, &own(&transfer), Some(&proof), None).await;
            successes += usize::from(checked.is_ok());
        }
        assert!(successes > 0, "the right proof is rejected");
        assert!(failures > 0 || max_downloads.is_some(), "no operation has failed");
        let scope = sound.scope(ActionName::TransferStatus);
        let found = sound.transfers.find(&scope, transfer.transfer_id).await.unwrap();
        assert_eq!((found.own_link.download_count(), found.state.status()), (0, Status::Completed));
    }
}

#[tokio::test]
async fn an_id_alone_gives_nothing_while_the_store_is_full() {
    let full = Arc::<AtomicBool>::default();
    let store = FaultyStore::default().with(FaultInjector::full_while(full.clone()));
    let fixture = Fixture::with_store(Arc::new(store));
    for max_downloads in [Some(2), None] {
        let Protected { transfer, proof } = fixture.protected(max_downloads, false).await;
        full.store(true, Ordering::Relaxed);
        fixture.expect_nothing_without_proof(&transfer).await;
        full.store(false, Ordering::Relaxed);
        let scope = fixture.scope(ActionName::DownloadGrant);
        fixture.transfers.create_download(&scope, &own(&transfer), Some(&proof), None).await.unwrap();
    }
}

#[tokio::test]
async fn an_id_alone_gives_nothing_on_any_day() {
    let fixture = Fixture::new();
    let Protected { transfer, proof } = fixture.protected(Some(2), true).await;
    for days in [0, 3, 1, 400, 0, 2] {
        fixture.clock.set(START.plus(Duration::from_hours(24 * days)));
        fixture.expect_nothing_without_proof(&transfer).await;
    }
    // A clock that is set back by an hour gives no further attempts.
    fixture.clock.set(START.plus(Duration::from_hours(3)));
    for _ in 0..3 {
        fixture.expect_nothing_without_proof(&transfer).await;
    }
    fixture.clock.set(START.plus(Duration::from_hours(2)));
    let scope = fixture.scope(ActionName::DownloadGrant);
    let limited = fixture.transfers.check_download(&scope, &own(&transfer), Some(&proof), None).await;
    assert!(matches!(limited, Err(Error::RateLimited { .. })), "{limited:?}");
}
