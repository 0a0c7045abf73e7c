//! Limits on client events per transfer, client and network.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use super::table::{Table, TablePolicy};
use crate::domain::address::NetworkKey;
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;

/// Maximum number of client events per transfer, in all.
pub(crate) const MAX_EVENTS_PER_TRANSFER: u32 = 1_000;
/// Maximum client events per transfer and UTC day from one grant, or from one network without a grant.
const MAX_EVENTS_PER_CLIENT: u32 = 20;
/// Maximum client events per transfer and UTC day from one network, across all its grants.
const MAX_EVENTS_PER_NETWORK: u32 = 200;
/// Table of client events: 4 096 transfers per UTC day.
///
/// The total of an evicted transfer is read again from the store; only its per-client counts restart at 0.
const EVENT_TABLE: TablePolicy = TablePolicy::new(Duration::from_hours(24), NonZeroUsize::new(4_096).unwrap());

/// Source of a client event, for the per-client limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EventSource {
    /// Client with this grant, identified by the grant's SHA-256.
    Grant(Sha256),
    /// Client without a grant, identified by its network.
    Network(NetworkKey),
}

/// Event counts of this process and UTC day.
///
/// Not a [`Window`](super::window::Window), since each event counts towards three limits, and the total of a transfer
/// outlives the day: its first event requires the total from the store, set by [`EventLimit::set_total`].
pub(crate) struct EventLimit(Mutex<Table<TransferId, EventCounts>>);

struct EventCounts {
    total: u32,
    by_client: HashMap<EventSource, u32>,
    by_network: HashMap<NetworkKey, u32>,
}

impl Default for EventLimit {
    fn default() -> Self {
        Self(Mutex::new(Table::new(EVENT_TABLE)))
    }
}

impl EventLimit {
    /// Sets the total number of client events of a transfer, unless already known.
    pub(crate) fn set_total(&self, id: TransferId, total: u32, now: Timestamp) {
        let counts = || EventCounts { total, by_client: HashMap::new(), by_network: HashMap::new() };
        self.0.lock().expect("the lock is never poisoned").get_or_insert(id, now, counts);
    }

    /// Counts one event; returns `false` if a limit is reached.
    ///
    /// Returns `None` if the transfer's total is unknown: call [`EventLimit::set_total`] and retry.
    pub(crate) fn try_count(
        &self,
        id: TransferId,
        source: EventSource,
        network: NetworkKey,
        now: Timestamp,
    ) -> Option<bool> {
        let mut transfers = self.0.lock().expect("the lock is never poisoned");
        let counts = transfers.get_mut(&id, now)?;
        if counts.total >= MAX_EVENTS_PER_TRANSFER {
            return Some(false);
        }
        let (of_client, of_network) =
            (counts.by_client.entry(source).or_default(), counts.by_network.entry(network).or_default());
        if *of_client >= MAX_EVENTS_PER_CLIENT || *of_network >= MAX_EVENTS_PER_NETWORK {
            return Some(false);
        }
        *of_client += 1;
        *of_network += 1;
        counts.total += 1;
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_with_many_grants_does_not_exhaust_the_transfer_limit() {
        let (limit, now, id) = (EventLimit::default(), Timestamp::from_millis(0), TransferId::random());
        let (one, other) = (NetworkKey::of_test(1), NetworkKey::of_test(2));
        limit.set_total(id, 0, now);
        let grants = (0..50_u8).flat_map(|grant| [EventSource::Grant(Sha256::of(&[grant])); 30]);
        let added = grants.filter(|grant| limit.try_count(id, *grant, one, now) == Some(true)).count();
        assert_eq!(added, MAX_EVENTS_PER_NETWORK as usize);
        assert_eq!(limit.try_count(id, EventSource::Network(other), other, now), Some(true));
    }

    #[test]
    fn many_transfers_take_bounded_memory() {
        let (limit, now) = (EventLimit::default(), Timestamp::from_millis(0));
        let network = NetworkKey::of_test(1);
        let source = EventSource::Network(network);
        let id = TransferId::random();
        assert_eq!(limit.try_count(id, source, network, now), None, "the total is not read from the store");
        limit.set_total(id, MAX_EVENTS_PER_TRANSFER - 1, now);
        assert_eq!(limit.try_count(id, source, network, now), Some(true));
        assert_eq!(limit.try_count(id, source, network, now), Some(false));
        for _ in 0..EVENT_TABLE.capacity.get() {
            limit.set_total(TransferId::random(), 0, now);
        }
        assert_eq!(limit.0.lock().unwrap().len(), EVENT_TABLE.capacity.get());
        assert_eq!(
            limit.try_count(id, source, network, now),
            None,
            "the total of an evicted transfer is not read again"
        );
    }
}
