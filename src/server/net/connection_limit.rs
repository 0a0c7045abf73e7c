//! Limits the connections per client network (IPv4 address or IPv6 `/48`).

use super::connection_info::Peer;
use crate::domain::address::NetworkKey;
use crate::domain::audit::ServiceName;
use crate::domain::limits::LimitName;
use crate::domain::limits::concurrency::{Concurrency, Permit};
use crate::server::state::AppState;

/// One network may hold a quarter of a listener's connections.
const NETWORK_SHARE_DIVISOR: usize = 4;

/// Counts the connections per network. Trusted proxies are exempt, since they serve many clients, and so are the peers of
/// Unix sockets, which are on this machine.
pub(crate) struct ConnectionLimit {
    app: AppState,
    service: Option<ServiceName>,
    /// The limit per network; `None` for no limit.
    limit: Option<Concurrency<NetworkKey>>,
}

/// The permit of one connection, released on drop. Exempt connections hold an empty permit.
pub(crate) struct ConnectionPermit {
    _permit: Option<Permit<NetworkKey>>,
}

impl ConnectionLimit {
    /// Creates the limit for a listener with a maximum of `connections`; counts nothing unless `limited`.
    pub(crate) fn new(app: AppState, service: ServiceName, connections: usize, limited: bool) -> Self {
        let limit = limited.then(|| Concurrency::per_key((connections / NETWORK_SHARE_DIVISOR).max(1)));
        Self { app, service: Some(service), limit }
    }

    /// Creates no limit, for a listener of no service.
    pub(crate) fn unlimited(app: AppState) -> Self {
        Self { app, service: None, limit: None }
    }

    /// Returns whether `peer` is a trusted proxy.
    pub(crate) fn is_proxy(&self, peer: Peer) -> bool {
        self.app.client_address.trusts(peer)
    }

    /// Returns a permit for a connection from `peer`, or `None` if its network is at the limit.
    pub(crate) fn acquire(&self, peer: Peer) -> Option<ConnectionPermit> {
        let is_exempt = self.is_proxy(peer) || !matches!(peer, Peer::Network(_));
        let permit = match &self.limit {
            Some(limit) if !is_exempt => {
                let permit = limit.try_acquire(self.app.addresses.network_of(Some(peer.ip())));
                if let (None, Some(service)) = (&permit, self.service) {
                    self.app.metrics.requests.count_limit(service, LimitName::Connections);
                }
                Some(permit?)
            }
            _ => None,
        };
        Some(ConnectionPermit { _permit: permit })
    }
}
