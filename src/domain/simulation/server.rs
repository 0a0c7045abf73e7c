//! One server: the domain's services over the shared store, with state of their own in memory.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::store::SharedStore;
use super::world::{SkewedClock, World};
use crate::domain::address::AddressPolicy;
use crate::domain::audit::{
    ActionName, AuditLog, AuditSettings, ChangeResult, Flusher, IpMode, RequestInfo, RequestScope, Retention,
    ServiceName,
};
use crate::domain::clock::Clock;
use crate::domain::id::RecordIds;
use crate::domain::limits::Limits;
use crate::domain::limits::free_space::MinFreeSpace;
use crate::domain::token::service::Tokens;
use crate::domain::transfers::{TransferSettings, Transfers};

/// Retention of audit records after the end of a transfer.
pub(super) const RETAIN: Duration = Duration::from_hours(24 * 90);
/// Retention of audit records of reads.
pub(super) const RETAIN_READS: Duration = Duration::from_hours(24 * 30);

/// Server process of a schedule.
pub(super) struct SimulatedServer {
    pub(super) number: usize,
    pub(super) transfers: Transfers,
    pub(super) tokens: Tokens,
    pub(super) audit: AuditLog,
    clock: Arc<SkewedClock>,
    ids: Arc<RecordIds>,
    addresses: AddressPolicy,
}

impl SimulatedServer {
    /// Starts a server with empty memory.
    pub(super) fn start(world: &Arc<World>, number: usize) -> (Rc<Self>, Flusher) {
        let generation = world.state().generations[number];
        let store = Arc::new(SharedStore { world: world.clone(), server: number, generation });
        let clock = Arc::new(SkewedClock { world: world.clone(), server: number });
        let ids = Arc::<RecordIds>::default();
        let min_free = MinFreeSpace::default();
        let retention = Retention::new(RETAIN, Some(RETAIN_READS));
        let audit = AuditSettings { mode: world.plan.audit, min_free, retention };
        let (audit, flusher) = AuditLog::start(store.clone(), clock.clone(), ids.clone(), audit);
        let settings = TransferSettings {
            limits: Limits::default(),
            retention,
            ip_mode: IpMode::None,
            bytes_fallback: true,
            min_free,
        };
        let transfers = Transfers::new(store.clone(), clock.clone(), ids.clone(), audit.clone(), settings);
        let tokens = Tokens::new(store, clock.clone());
        let addresses = AddressPolicy::new(IpMode::None);
        (Rc::new(Self { number, transfers, tokens, audit, clock, ids, addresses }), flusher)
    }

    /// Creates the scope of a request that has just arrived.
    pub(super) fn scope(&self, action: ActionName) -> RequestScope {
        let now = self.clock.now();
        let request = RequestInfo {
            request_id: self.ids.next(now),
            client_request_id: None,
            at: now,
            service: ServiceName::Public,
            method: "POST".to_owned(),
            route: "/".to_owned(),
            action,
            client: self.addresses.describe(None, None, now),
            client_key: self.addresses.key_of(None),
            network_key: self.addresses.network_of(None),
        };
        RequestScope::new(request, self.ids.clone(), |result| match result {
            ChangeResult::Created => Some(201),
            ChangeResult::Done => Some(200),
            ChangeResult::Undetermined => None,
        })
    }
}
