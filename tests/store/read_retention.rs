//! Removal of records of reads before those of changes, by the sweeper of a server.

use std::sync::Arc;
use std::time::Duration;

use sgsend::domain::address::AddressPolicy;
use sgsend::domain::audit::{
    ActionName, AuditLog, AuditSettings, ChangeResult, IpMode, Outcome, Record, RequestInfo, RequestScope,
    ResponseInfo, Retention, ServiceName, WriteMode,
};
use sgsend::domain::clock::{Clock, ManualClock};
use sgsend::domain::id::{RecordIds, TransferId};
use sgsend::domain::limits::Limits;
use sgsend::domain::limits::free_space::MinFreeSpace;
use sgsend::domain::maintenance::check::check;
use sgsend::domain::store::{StorageKey, open_header};
use sgsend::domain::timestamp::Timestamp;
use sgsend::domain::token::service::Tokens;
use sgsend::domain::transfers::{TransferSettings, Transfers};
use sgsend::domain::wire::{CreateToken, CreateTransfer, OwnLinkChoice};

use crate::backends::SharedStore;

const START: Timestamp = Timestamp::from_millis(1_767_268_800_000);
const DAY: Duration = Duration::from_hours(24);
const READS: usize = 30;

/// Services of one server over the store, with a manual clock.
struct Server {
    clock: Arc<ManualClock>,
    ids: Arc<RecordIds>,
    audit: AuditLog,
    transfers: Transfers,
    tokens: Tokens,
}

impl Server {
    fn over(store: &SharedStore, retention: Retention) -> Self {
        let (clock, ids) = (Arc::new(ManualClock::at(START)), Arc::<RecordIds>::default());
        let min_free = MinFreeSpace::default();
        let audit = AuditSettings { mode: WriteMode::Immediate, min_free, retention };
        let (audit, _) = AuditLog::start(store.clone(), clock.clone(), ids.clone(), audit);
        let settings = TransferSettings {
            limits: Limits::default(),
            retention,
            ip_mode: IpMode::None,
            min_free,
            bytes_fallback: true,
        };
        let transfers = Transfers::new(store.clone(), clock.clone(), ids.clone(), audit.clone(), settings);
        let tokens = Tokens::new(store.clone(), clock.clone());
        Self { clock, ids, audit, transfers, tokens }
    }

    fn scope(&self, action: ActionName) -> RequestScope {
        let (policy, now) = (AddressPolicy::new(IpMode::None), self.clock.now());
        let request = RequestInfo {
            request_id: self.ids.next(now),
            client_request_id: None,
            at: now,
            service: ServiceName::Public,
            method: "GET".to_owned(),
            route: "/".to_owned(),
            action,
            client: policy.describe(None, None, now),
            client_key: policy.key_of(None),
            network_key: policy.network_of(None),
        };
        RequestScope::new(request, self.ids.clone(), |result| (result != ChangeResult::Undetermined).then_some(200))
    }

    async fn create(&self) -> TransferId {
        let token = CreateToken {
            name: "press".to_owned(),
            expires_in_s: None,
            max_transfers: None,
            max_total_bytes: None,
            notifications: None,
        };
        let token = self.tokens.create(&self.scope(ActionName::TokenCreate), token).await.unwrap().0;
        let transfer = CreateTransfer {
            own_link: OwnLinkChoice::Open,
            size_bytes: 3,
            expires_in_s: Some(86_400),
            max_downloads: None,
            access_sha256: None,
            access_from_passphrase: true,
            idempotency_key: None,
            notify: None,
        };
        let scope = self.scope(ActionName::TransferCreate);
        let created = self.transfers.create(&scope, &token, &transfer).await.unwrap();
        self.end(&scope).await;
        created.transfer.transfer_id
    }

    /// Ends a successful request: writes the records that its commit did not contain.
    async fn end(&self, scope: &RequestScope) {
        let done = ResponseInfo { status: 200, outcome: Outcome::Done, code: None, bytes_out: 1 };
        self.audit.finish(scope, done).await;
    }

    async fn read(&self, id: TransferId) {
        let scope = self.scope(ActionName::TransferStatus);
        self.transfers.find(&scope, id).await.unwrap();
        self.end(&scope).await;
    }

    async fn trail(&self, id: TransferId) -> Vec<Record> {
        let transfer = self.transfers.find(&self.scope(ActionName::AuditRead), id).await.unwrap();
        self.transfers.list_everything(&transfer, None, Some(1_000)).await.unwrap().items
    }
}

async fn stored(store: &SharedStore, part: &str) -> usize {
    let keys = store.keys(&StorageKey::all_objects(), None, 1_000).await.unwrap();
    // No server delivers notifications here, so their entries stay.
    let waiting = StorageKey::whole_outbox();
    keys.iter().filter(|key| key.as_str().contains(part) && !key.as_str().starts_with(waiting.as_str())).count()
}

async fn findings(store: &SharedStore) -> usize {
    let report = check(&**store).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    report.findings.len()
}

pub(crate) async fn reads_are_removed_before_changes(store: SharedStore) {
    let retention = Retention::new(DAY * 90, Some(DAY * 10));
    open_header(&*store, retention).await.unwrap();
    let server = Server::over(&store, retention);
    let id = server.create().await;
    let changes = server.trail(id).await;
    assert_eq!(changes.len(), 3, "{changes:?}");
    for _ in 0..READS {
        server.read(id).await;
    }
    assert_eq!(server.trail(id).await.len(), changes.len() + 2 * READS);
    assert_eq!((stored(&store, "/reads/").await, stored(&store, ".reads").await), (2 * READS, 1));
    assert_eq!(findings(&store).await, 0);

    server.clock.set(START.plus(DAY * 10));
    server.transfers.sweep().await.unwrap();
    assert_eq!(stored(&store, "/reads/").await, 2 * READS, "reads are removed too early");
    server.clock.set(START.plus(DAY * 11 + Duration::from_mins(1)));
    server.transfers.sweep().await.unwrap();
    assert_eq!((stored(&store, "/reads/").await, stored(&store, ".reads").await), (0, 0));
    assert_eq!(server.trail(id).await[..changes.len()], changes);
    store.flush().await.unwrap();
    assert_eq!(findings(&store).await, 0);

    server.clock.set(START.plus(DAY * 92));
    server.transfers.sweep().await.unwrap();
    assert_eq!(stored(&store, &id.to_string()).await, 0);
}
