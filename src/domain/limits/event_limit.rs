//! Limits on client events per transfer, client and network.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::table::{Table, TablePolicy};
use crate::domain::address::NetworkKey;
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::LinkId;
use crate::domain::store::StorageKey;
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
/// outlives the day: it is counted in the store first, a page with each event.
pub(crate) struct EventLimit(Mutex<Table<LinkId, EventCounts>>);

/// Part of a transfer's stored events that is not counted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Uncounted {
    /// All events.
    All,
    /// The events after this key.
    After(StorageKey),
}

impl Uncounted {
    /// Returns the key after which the part begins; `None` for all events.
    pub(crate) const fn key(&self) -> Option<&StorageKey> {
        match self {
            Self::All => None,
            Self::After(key) => Some(key),
        }
    }
}

struct EventCounts {
    total: u32,
    /// Stored events that are not in the total yet.
    uncounted: Option<Uncounted>,
    by_client: HashMap<EventSource, u32>,
    by_network: HashMap<NetworkKey, u32>,
}

impl Default for EventCounts {
    fn default() -> Self {
        Self { total: 0, uncounted: Some(Uncounted::All), by_client: HashMap::new(), by_network: HashMap::new() }
    }
}

impl Default for EventLimit {
    fn default() -> Self {
        Self(Mutex::new(Table::new(EVENT_TABLE)))
    }
}

impl EventLimit {
    /// Returns the stored events of a transfer that are to be counted next; `None` if the total is known.
    pub(crate) fn uncounted(&self, id: LinkId, now: Timestamp) -> Option<Uncounted> {
        self.counts().get_or_insert(id, now, EventCounts::default).uncounted.clone()
    }

    /// Adds the number of client events that were found in a part of the stored events.
    ///
    /// The part begins like `counted`, and ends with the key `next`, or with the last event. Ignores a part that another request has counted meanwhile.
    pub(crate) fn add_counted(
        &self,
        id: LinkId,
        counted: &Uncounted,
        claims: u32,
        next: Option<StorageKey>,
        now: Timestamp,
    ) {
        let mut transfers = self.counts();
        let counts = transfers.get_or_insert(id, now, EventCounts::default);
        if counts.uncounted.as_ref() == Some(counted) {
            counts.total = counts.total.saturating_add(claims);
            // The rest makes no difference at the limit.
            counts.uncounted = next.filter(|_| counts.total < MAX_EVENTS_PER_TRANSFER).map(Uncounted::After);
        }
    }

    /// Counts one event; returns `false` if a limit is reached.
    ///
    /// While older events remain to be counted, only those counted so far are compared with the limit of the transfer:
    /// each accepted event has counted a page of them, so at most one of a thousand events exceeds the limit.
    pub(crate) fn try_count(&self, id: LinkId, source: EventSource, network: NetworkKey, now: Timestamp) -> bool {
        let mut transfers = self.counts();
        let counts = transfers.get_or_insert(id, now, EventCounts::default);
        if counts.total >= MAX_EVENTS_PER_TRANSFER {
            return false;
        }
        let (of_client, of_network) =
            (counts.by_client.entry(source).or_default(), counts.by_network.entry(network).or_default());
        if *of_client >= MAX_EVENTS_PER_CLIENT || *of_network >= MAX_EVENTS_PER_NETWORK {
            return false;
        }
        *of_client += 1;
        *of_network += 1;
        // Until all are counted, this event will be among those that are read from the store.
        counts.total += u32::from(counts.uncounted.is_none());
        true
    }

    fn counts(&self) -> MutexGuard<'_, Table<LinkId, EventCounts>> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets the number of stored client events of a transfer.
    fn count_all(limit: &EventLimit, id: LinkId, claims: u32, now: Timestamp) {
        assert_eq!(limit.uncounted(id, now), Some(Uncounted::All), "the total is not read from the store");
        limit.add_counted(id, &Uncounted::All, claims, None, now);
        assert_eq!(limit.uncounted(id, now), None);
    }

    #[test]
    fn a_network_with_many_grants_does_not_exhaust_the_transfer_limit() {
        let (limit, now, id) = (EventLimit::default(), Timestamp::from_millis(0), LinkId::random());
        let (one, other) = (NetworkKey::of_test(1), NetworkKey::of_test(2));
        count_all(&limit, id, 0, now);
        let grants = (0..50_u8).flat_map(|grant| [EventSource::Grant(Sha256::of(&[grant])); 30]);
        let added = grants.filter(|grant| limit.try_count(id, *grant, one, now)).count();
        assert_eq!(added, MAX_EVENTS_PER_NETWORK as usize);
        assert!(limit.try_count(id, EventSource::Network(other), other, now));
    }

    #[test]
    fn many_transfers_take_bounded_memory() {
        let (limit, now) = (EventLimit::default(), Timestamp::from_millis(0));
        let network = NetworkKey::of_test(1);
        let source = EventSource::Network(network);
        let id = LinkId::random();
        count_all(&limit, id, MAX_EVENTS_PER_TRANSFER - 1, now);
        assert!(limit.try_count(id, source, network, now));
        assert!(!limit.try_count(id, source, network, now));
        for _ in 0..EVENT_TABLE.capacity.get() {
            count_all(&limit, LinkId::random(), 0, now);
        }
        assert_eq!(limit.counts().len(), EVENT_TABLE.capacity.get());
        count_all(&limit, id, MAX_EVENTS_PER_TRANSFER, now);
    }

    #[test]
    fn a_long_trail_is_counted_part_by_part_and_no_part_twice() {
        let (limit, now, id) = (EventLimit::default(), Timestamp::from_millis(0), LinkId::random());
        let (key, network) = (|text: &str| StorageKey::from_backend(text.to_owned()), NetworkKey::of_test(1));
        let source = |number: u8| EventSource::Grant(Sha256::of(&[number]));
        let half = MAX_EVENTS_PER_TRANSFER / 2;
        // Two requests count the same part at once.
        for _ in 0..2 {
            limit.add_counted(id, &Uncounted::All, half, Some(key("a")), now);
        }
        assert!(limit.try_count(id, source(1), network, now));
        assert_eq!(limit.uncounted(id, now), Some(Uncounted::After(key("a"))));
        limit.add_counted(id, &Uncounted::After(key("a")), half - 1, Some(key("b")), now);
        assert!(limit.try_count(id, source(2), network, now), "accepted events are counted when they are read");
        limit.add_counted(id, &Uncounted::After(key("b")), 1, Some(key("c")), now);
        assert_eq!(limit.uncounted(id, now), None, "nothing is read beyond the limit");
        assert!(!limit.try_count(id, source(3), network, now));
    }
}
