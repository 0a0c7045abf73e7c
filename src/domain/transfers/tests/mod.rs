mod check;
mod clock;
mod copy;
mod download_records;
mod failing_store;
mod full_store;
mod late_uploads;
mod link_changes;
mod link_lists;
mod link_store;
mod link_totals;
mod links;
mod lists;
mod notifications;
mod presigned;
mod quota;
mod read_retention;
mod repair;
mod request_store;
mod requests;
mod slow_store;
mod sweep_order;
mod transfer_lists;

use std::time::Duration;

use futures_util::stream;

use super::*;
use crate::domain::address::AddressPolicy;
use crate::domain::audit::{
    ActionName, AuditSettings, AuditState, ChangeResult, EventKind, Record, RecordKind, RequestInfo, ServiceName,
    WriteMode,
};
use crate::domain::clock::ManualClock;
use crate::domain::crypto::proof::Grant;
use crate::domain::stats::TransferCounts;
use crate::domain::store::{Commit, MemoryStore, Prefix};
use crate::domain::token::Token;
use crate::domain::token::service::Tokens;
use crate::domain::wire::{CompleteUpload, CreateToken, CreateTransfer, OwnLinkChoice};

const START: Timestamp = Timestamp::from_millis(1_767_268_800_000);
const RETAIN: Duration = Duration::from_hours(24 * 90);
const RETAIN_READS: Duration = Duration::from_hours(24 * 30);

/// Transfer service over a store, with a manual clock.
struct Fixture {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    transfers: Transfers,
    tokens: Tokens,
    ids: Arc<RecordIds>,
    addresses: AddressPolicy,
}

/// Returns a request for an unlimited transfer of 3 bytes that expires after a day.
fn create_request() -> CreateTransfer {
    CreateTransfer {
        size_bytes: 3,
        expires_in_s: Some(86_400),
        max_downloads: None,
        access_sha256: None,
        access_from_passphrase: true,
        own_link: OwnLinkChoice::Open,
        idempotency_key: None,
        notify: None,
    }
}

/// Returns the own link of a transfer.
fn own(transfer: &Transfer) -> ResolvedLink {
    transfer.clone().into()
}

impl Fixture {
    fn new() -> Self {
        Self::with_store(Arc::new(MemoryStore::default()))
    }

    fn with_store(store: Arc<dyn Store>) -> Self {
        Self::with_store_and_clock(store, Arc::new(ManualClock::at(START)))
    }

    /// Creates a second server process that shares the store and the clock of `other`.
    fn second_process(other: &Self) -> Self {
        Self::with_store_and_clock(other.store.clone(), other.clock.clone())
    }

    fn with_store_and_clock(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Self {
        let ids = Arc::<RecordIds>::default();
        let retention = Retention::new(RETAIN, Some(RETAIN_READS));
        let audit = AuditSettings { mode: WriteMode::Immediate, min_free: MinFreeSpace::default(), retention };
        let (audit, _) = AuditLog::start(store.clone(), clock.clone(), ids.clone(), audit);
        let settings = TransferSettings {
            limits: Limits::default(),
            retention,
            ip_mode: IpMode::Hashed,
            bytes_fallback: true,
            min_free: MinFreeSpace::default(),
        };
        let transfers = Transfers::new(store.clone(), clock.clone(), ids.clone(), audit, settings);
        let tokens = Tokens::new(store.clone(), clock.clone());
        Self { store, clock, transfers, tokens, ids, addresses: AddressPolicy::new(IpMode::Hashed) }
    }

    fn scope(&self, action: ActionName) -> RequestScope {
        let policy = &self.addresses;
        let request = RequestInfo {
            request_id: self.ids.next(self.clock.now()),
            client_request_id: None,
            at: self.clock.now(),
            service: ServiceName::Public,
            method: "POST".to_owned(),
            route: "/".to_owned(),
            action,
            client: policy.describe(None, None, START),
            client_key: policy.key_of(None),
            network_key: policy.network_of(None),
        };
        RequestScope::new(request, self.ids.clone(), |result| match result {
            ChangeResult::Created => Some(201),
            ChangeResult::Done => Some(200),
            ChangeResult::Undetermined => None,
        })
    }

    async fn token(&self) -> Token {
        let request = CreateToken {
            name: "press".to_owned(),
            expires_in_s: None,
            max_transfers: None,
            max_total_bytes: None,
            notifications: None,
        };
        self.tokens.create(&self.scope(ActionName::TokenCreate), request).await.unwrap().0
    }

    async fn create_transfer(&self, max_downloads: Option<u32>) -> Transfer {
        let idempotency_key = Some("ab".repeat(32));
        let request = CreateTransfer { max_downloads, idempotency_key, ..create_request() };
        let scope = self.scope(ActionName::TransferCreate);
        self.transfers.create(&scope, &self.token().await, &request).await.unwrap().transfer
    }

    async fn send(&self, transfer: &Transfer, bytes: &'static [u8]) -> Result<(), Error> {
        let body = stream::iter([Ok(bytes::Bytes::from_static(bytes))]);
        let upload = PayloadChunk { offset: 0, length: None, body };
        self.transfers.upload(&self.scope(ActionName::PayloadUpload), transfer, upload).await.map(drop)
    }

    async fn completed_transfer(&self, max_downloads: Option<u32>) -> Transfer {
        let transfer = self.create_transfer(max_downloads).await;
        self.send(&transfer, b"abc").await.unwrap();
        self.transfers
            .complete(&self.scope(ActionName::UploadComplete), transfer, &CompleteUpload::default())
            .await
            .unwrap()
    }

    async fn events(&self, id: TransferId) -> Vec<EventKind> {
        let transfer = self.transfers.find(&self.scope(ActionName::EventList), id).await.unwrap();
        let page = self.transfers.list_records(&transfer, RecordKind::Event, None, None).await.unwrap();
        let kind = |record| match record {
            Record::Event(event) => event.kind,
            _ => panic!("a record under events/ is not an event"),
        };
        page.items.into_iter().map(kind).collect()
    }

    async fn keys(&self, prefix: &Prefix) -> Vec<String> {
        let keys = self.store.keys(prefix, None, 1_000).await.unwrap();
        keys.into_iter().map(|key| key.to_string()).collect()
    }
}

#[tokio::test]
async fn an_expired_transfer_loses_its_payload_and_later_all_records() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let id = transfer.transfer_id;
    fixture.clock.advance(Duration::from_hours(23));
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 0);
    fixture.clock.set(transfer.own_link.expires_at);
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 0);
    assert_eq!(fixture.events(id).await[2..], [EventKind::TransferExpired, EventKind::PayloadRemoved]);
    assert_eq!(fixture.transfers.sweep().await.unwrap().processed, 0, "a swept transfer is immediately due again");
    fixture.clock.set(transfer.own_link.expires_at.plus(RETAIN));
    assert_eq!(fixture.transfers.sweep().await.unwrap().removed, 1);
    assert_eq!(fixture.keys(&StorageKey::all_of_transfer(id)).await, [""; 0]);
    assert_eq!(fixture.keys(&StorageKey::all_schedule_entries()).await, [""; 0]);
    let stats = fixture.transfers.overview(&fixture.tokens).await.unwrap();
    assert_eq!((stats.transfers, stats.bytes_stored), (TransferCounts::default(), 0));
}

#[tokio::test]
async fn an_upload_request_without_bytes_writes_no_records() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    let everything = StorageKey::all_of_transfer(transfer.transfer_id);
    let before = fixture.keys(&everything).await;
    for _ in 0..3 {
        fixture.send(&transfer, b"").await.unwrap();
    }
    assert_eq!(fixture.keys(&everything).await, before);
    fixture.send(&transfer, b"a").await.unwrap();
    assert!(fixture.keys(&everything).await.len() > before.len());
}

#[tokio::test]
async fn the_sweeper_finishes_an_interrupted_deletion() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let id = transfer.transfer_id;
    // Simulates a crash between the two steps of a deletion: the state is changed, the payload is still stored.
    fixture
        .transfers
        .change(id, |mut transfer| {
            transfer.delete(START, crate::domain::transfer::DeletionCause::Requested);
            let with = Commit { schedule: vec![StorageKey::schedule_entry(START, id)], ..Commit::default() };
            Ok(Swap::write(transfer, with, ()))
        })
        .await
        .unwrap();
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_exhausted_payload_is_removed_when_its_last_grant_expires() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(Some(1)).await;
    let scope = fixture.scope(ActionName::DownloadGrant);
    let grant = Grant::random();
    let result = ChangeResult::Done;
    let record = fixture.transfers.count_download(&scope, &own(&transfer), &grant, result).await.unwrap();
    let second = fixture.transfers.count_download(&scope, &own(&transfer), &grant, result).await.unwrap();
    assert_eq!(record, second);
    let other = fixture.transfers.count_download(&scope, &own(&transfer), &Grant::random(), result).await;
    assert!(matches!(other, Err(Error::TransferExhausted)));
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 0);
    fixture.clock.set(record.expires_at);
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    let found = fixture.transfers.find(&scope, transfer.transfer_id).await.unwrap();
    assert_eq!(found.state_at(fixture.clock.now()).status(), Status::Exhausted);
}

#[tokio::test]
async fn a_payload_larger_than_declared_deletes_the_transfer() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    let id = transfer.transfer_id;
    // Writes to the store directly, like a presigned upload: the service's own routes reject a larger payload.
    let mut writer = fixture.store.writer(transfer.payload_id(), 0).await.unwrap();
    writer.write(bytes::Bytes::from_static(b"abcd")).await.unwrap();
    writer.close().await.unwrap();
    for _ in 0..2 {
        let scope = fixture.scope(ActionName::UploadComplete);
        let found = fixture.transfers.find(&scope, id).await.unwrap();
        let error = fixture.transfers.complete(&scope, found, &CompleteUpload::default()).await.unwrap_err();
        assert!(matches!(error, Error::SizeMismatch));
    }
    assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 0);
    assert_eq!(fixture.events(id).await[1..], [EventKind::TransferDeleted, EventKind::PayloadRemoved]);
}

#[tokio::test]
async fn completing_a_deleted_transfer_reports_the_deletion() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    fixture.send(&transfer, b"abc").await.unwrap();
    fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), transfer.transfer_id).await.unwrap();
    let error = fixture
        .transfers
        .complete(&fixture.scope(ActionName::UploadComplete), transfer, &CompleteUpload::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TransferDeleted), "{error:?}");
}

#[tokio::test]
async fn resuming_the_upload_of_a_deleted_transfer_reports_the_deletion() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    let upload = |bytes: &'static [u8], offset| {
        let body = stream::iter([Ok(bytes::Bytes::from_static(bytes))]);
        let upload = PayloadChunk { offset, length: None, body };
        let scope = fixture.scope(ActionName::PayloadUpload);
        let (transfers, transfer) = (&fixture.transfers, &transfer);
        async move { transfers.upload(&scope, transfer, upload).await.map(drop) }
    };
    upload(b"a", 0).await.unwrap();
    let error = upload(b"c", 2).await.unwrap_err();
    assert!(matches!(error, Error::OffsetMismatch { received_bytes: 1 }), "{error:?}");
    fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), transfer.transfer_id).await.unwrap();
    let error = upload(b"b", 1).await.unwrap_err();
    assert!(matches!(error, Error::TransferDeleted), "{error:?}");
}

#[tokio::test]
async fn a_deletion_during_an_upload_leaves_no_payload() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    let id = transfer.transfer_id;
    let deleting = fixture.transfers.clone();
    let scope = fixture.scope(ActionName::TransferDelete);
    let body = Box::pin(stream::once(async move {
        deleting.delete(&scope, id).await.unwrap();
        Ok(bytes::Bytes::from_static(b"abc"))
    }));
    let upload = PayloadChunk { offset: 0, length: Some(3), body };
    let error =
        fixture.transfers.upload(&fixture.scope(ActionName::PayloadUpload), &transfer, upload).await.unwrap_err();
    assert!(matches!(error, Error::TransferDeleted), "{error:?}");
    assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_unreadable_transfer_does_not_block_others() {
    let fixture = Fixture::new();
    let broken = TransferId::random();
    let change = crate::domain::store::Change {
        key: StorageKey::transfer(broken),
        condition: crate::domain::store::Condition::Absent,
        value: bytes::Bytes::from_static(b"{"),
    };
    let schedule = vec![StorageKey::schedule_entry(START, broken)];
    fixture.store.commit(Commit { schedule, ..Commit::of(change) }).await.unwrap();
    let transfer = fixture.completed_transfer(None).await;
    fixture.clock.set(transfer.own_link.expires_at);
    let swept = fixture.transfers.sweep().await.unwrap();
    // The transfer has an entry at its reminder, too.
    assert_eq!((swept.processed, swept.payloads_removed), (3, 1));
    let schedule = fixture.keys(&StorageKey::all_schedule_entries()).await;
    assert!(
        schedule.iter().any(|entry| entry.ends_with(&broken.to_string())),
        "the unreadable transfer is not scheduled again: {schedule:?}"
    );
}
