//! Limits the connections per client network (IPv4 address or IPv6 `/48`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::address::NetworkKey;
use crate::server::state::AppState;

/// One network may hold a quarter of a listener's connections.
const SHARE_DIVISOR: usize = 4;

/// Counts the connections per network. Trusted proxies are exempt, since they serve many clients.
pub(crate) struct ConnectionLimit {
    app: AppState,
    /// Maximum connections per network; `None` for no limit.
    max: Option<usize>,
    counts: Counts,
}

type Counts = Arc<Mutex<HashMap<NetworkKey, usize>>>;

/// The permit of one connection, released on drop. Exempt connections hold an empty permit.
pub(crate) struct ConnectionPermit(Option<(Counts, NetworkKey)>);

fn locked(counts: &Counts) -> MutexGuard<'_, HashMap<NetworkKey, usize>> {
    counts.lock().expect("nothing panics while it holds this lock")
}

impl ConnectionLimit {
    /// Creates the limit for a listener with a maximum of `connections`; counts nothing unless `limited`.
    pub(crate) fn new(app: AppState, connections: usize, limited: bool) -> Self {
        Self { app, max: limited.then_some((connections / SHARE_DIVISOR).max(1)), counts: Counts::default() }
    }

    /// Returns a permit for a connection from `peer`, or `None` if its network is at the limit.
    pub(crate) fn acquire(&self, peer: IpAddr) -> Option<ConnectionPermit> {
        let Some(max) = self.max.filter(|_| !self.app.client_address.proxies.trusts(peer.to_canonical())) else {
            return Some(ConnectionPermit(None));
        };
        let network = self.app.addresses.network_of(Some(peer));
        let mut counts = locked(&self.counts);
        let count = counts.entry(network).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(ConnectionPermit(Some((self.counts.clone(), network))))
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some((counts, network)) = &self.0 else { return };
        let mut counts = locked(counts);
        if let Some(count) = counts.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(network);
            }
        }
    }
}
