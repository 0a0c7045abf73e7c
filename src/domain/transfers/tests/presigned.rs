//! Presigned URLs, with an in-memory store whose signatures are not verified.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::domain::id::PayloadId;
use crate::domain::store::{FaultyStore, Presigner, SignedRequest, StoreError};
use crate::domain::transfer::{PartPlan, ResolvedLink, UploadKind};
use crate::domain::wire::{CompleteUpload, Flow, UploadInstruction};

const HOUR: Duration = Duration::from_hours(1);

/// Signs all requests and records the lifetimes of the signatures.
#[derive(Debug, Default)]
struct Signer {
    lifetimes: Mutex<Vec<Duration>>,
}

impl Signer {
    fn sign(&self, operation: &str, lifetime: Duration) -> SignedRequest {
        self.lifetimes.lock().unwrap().push(lifetime);
        SignedRequest {
            method: operation.to_owned(),
            url: format!("https://store.example/{operation}"),
            headers: BTreeMap::new(),
            expires_at: START.plus(lifetime),
        }
    }
}

#[async_trait]
impl Presigner for Signer {
    async fn put(&self, _: PayloadId, _: u64, lifetime: Duration) -> Result<SignedRequest, StoreError> {
        Ok(self.sign("put", lifetime))
    }

    async fn parts(
        &self,
        _: PayloadId,
        _: PartPlan,
        numbers: &[u32],
        lifetime: Duration,
    ) -> Result<Vec<SignedRequest>, StoreError> {
        Ok(numbers.iter().map(|_| self.sign("part", lifetime)).collect())
    }

    async fn received_parts(&self, _: PayloadId) -> Result<Vec<u32>, StoreError> {
        Ok(Vec::new())
    }

    async fn get(&self, _: PayloadId, lifetime: Duration) -> Result<SignedRequest, StoreError> {
        Ok(self.sign("get", lifetime))
    }
}

/// Writes bytes to the store like a client with a presigned URL.
async fn put(store: &dyn Store, id: PayloadId, bytes: &'static [u8]) {
    let mut writer = store.writer(id, 0).await.unwrap();
    writer.write(Bytes::from_static(bytes)).await.unwrap();
    writer.close().await.unwrap();
}

async fn find_transfer(fixture: &Fixture, id: TransferId) -> Transfer {
    fixture.transfers.find(&fixture.scope(ActionName::TransferStatus), id).await.unwrap()
}

fn fixture() -> (Fixture, Arc<Signer>) {
    let signer = Arc::<Signer>::default();
    (Fixture::with_store(Arc::new(FaultyStore::default().with_presigner(signer.clone()))), signer)
}

#[tokio::test]
async fn a_payload_written_again_after_its_deletion_is_removed() {
    let (fixture, _) = fixture();
    let transfer = fixture.create_transfer(None).await;
    let (id, payload) = (transfer.transfer_id, transfer.payload_id());
    assert_eq!((transfer.upload, transfer.upload_urls_until), (Some(UploadKind::Single), Some(START.plus(2 * HOUR))));
    put(&*fixture.store, payload, b"abc").await;
    let scope = fixture.scope(ActionName::UploadComplete);
    fixture.transfers.complete(&scope, transfer, &CompleteUpload::default()).await.unwrap();
    fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), id).await.unwrap();
    assert_eq!(fixture.store.received(payload).await.unwrap(), 0);
    put(&*fixture.store, payload, b"abc").await;
    // The sweeper waits while a URL that could write the payload again is valid.
    fixture.clock.advance(HOUR);
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.store.received(payload).await.unwrap(), 3);
    fixture.clock.advance(HOUR);
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.store.received(payload).await.unwrap(), 0);
    assert_eq!(find_transfer(&fixture, id).await.upload_urls_until, None);
    // The last schedule entry is for the removal of the records.
    let last_entry = fixture.keys(&StorageKey::all_schedule_entries()).await.pop();
    assert_eq!(last_entry, Some(StorageKey::schedule_entry(START.plus(RETAIN), id).to_string()));
}

#[tokio::test]
async fn issuing_urls_keeps_an_upload_alive_and_is_recorded_once_an_hour() {
    let (fixture, signer) = fixture();
    let id = fixture.create_transfer(None).await.transfer_id;
    let create_urls = async |fixture: &Fixture| {
        let transfer = find_transfer(fixture, id).await;
        fixture.transfers.create_upload_urls(&fixture.scope(ActionName::UploadPresign), &transfer, &[]).await
    };
    for hours in [1, 2, 20] {
        fixture.clock.set(START.plus(hours * HOUR));
        let before = find_transfer(&fixture, id).await.upload_urls_until.unwrap();
        assert!(matches!(
            create_urls(&fixture).await.unwrap(),
            UploadInstruction::Single { fallback_url: Some(_), .. }
        ));
        let recorded = find_transfer(&fixture, id).await.upload_urls_until.unwrap();
        assert_eq!(recorded, if hours == 1 { before } else { START.plus((hours + 2) * HOUR) });
    }
    assert!(signer.lifetimes.lock().unwrap().iter().all(|lifetime| *lifetime == HOUR));
    // The transfers in this test expire after 24 hours.
    fixture.clock.set(START.plus(24 * HOUR));
    assert!(matches!(create_urls(&fixture).await, Err(Error::TransferExpired)));
}

#[tokio::test]
async fn a_further_link_uses_presigned_urls_unless_they_name_the_transfer() {
    let (fixture, _) = fixture();
    let (_, link) = fixture.linked_transfer(Some(9)).await;
    let scope = fixture.scope(ActionName::DownloadGrant);
    let mut link = fixture.transfers.find_link(&scope, link.id).await.unwrap();
    let grant = Grant::random();
    let count = fixture.transfers.count_download(&scope, &link, &grant, ChangeResult::Undetermined);
    let grant = count.await.unwrap();
    let flow = async |link: &ResolvedLink| {
        let url = fixture.transfers.download_url(link, &grant).await.unwrap();
        assert_eq!(fixture.transfers.mode_of(link).download, url.flow);
        url.flow
    };
    assert_eq!(flow(&link).await, Flow::Presigned);
    // As before layout 4.
    link.transfer.payload_id = None;
    assert_eq!(flow(&link).await, Flow::Bytes);
    assert_eq!(flow(&own(&link.transfer)).await, Flow::Presigned);
}

#[tokio::test]
async fn a_download_url_does_not_outlive_its_grant_or_its_transfer() {
    let (fixture, signer) = fixture();
    let transfer = fixture.create_transfer(Some(9)).await;
    let (id, payload) = (transfer.transfer_id, transfer.payload_id());
    put(&*fixture.store, payload, b"abc").await;
    let scope = fixture.scope(ActionName::UploadComplete);
    fixture.transfers.complete(&scope, transfer, &CompleteUpload::default()).await.unwrap();
    let transfer = find_transfer(&fixture, id).await;
    let scope = fixture.scope(ActionName::DownloadGrant);
    let grant = fixture
        .transfers
        .count_download(&scope, &own(&transfer), &Grant::random(), ChangeResult::Undetermined)
        .await
        .unwrap();
    let lifetime = async |at: Timestamp| {
        fixture.clock.set(at);
        fixture.transfers.download_url(&own(&transfer), &grant).await.unwrap();
        *signer.lifetimes.lock().unwrap().last().unwrap()
    };
    assert_eq!(lifetime(START).await, Duration::from_mins(5));
    assert_eq!(lifetime(START.plus(Duration::from_mins(58))).await, Duration::from_mins(2));
}
