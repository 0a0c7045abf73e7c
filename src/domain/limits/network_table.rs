//! Map of a fixed capacity, with the eviction policy of all tables of limits.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::num::NonZeroUsize;

use crate::domain::address::{ClientKey, NetworkKey};
use crate::domain::id::{LinkId, TokenId, TransferId};

/// Key of a table of limits, with the network that caused its entry.
pub(crate) trait OfNetwork: Clone + Eq + Hash {
    /// Returns the network whose client caused the entry; `None` for keys that no client can choose freely.
    fn network(&self) -> Option<NetworkKey>;
}

/// Map that, when full, evicts the oldest entry of the network with the most entries.
///
/// A full table rejects nobody, and a network that floods the table evicts its own entries first: entries of others are
/// evicted only once each network has as few entries as they have. Between networks of one size, the oldest entry goes.
#[derive(Debug)]
pub(crate) struct NetworkTable<K, V> {
    capacity: NonZeroUsize,
    entries: HashMap<K, V>,
    networks: HashMap<Option<NetworkKey>, Queue<K>>,
    /// Networks by their number of entries, then by the age of their oldest entry.
    by_size: BTreeSet<Rank>,
    /// Number of the next insertion.
    next: u64,
}

/// Keys of one network in the order of their insertion, each with the number of its insertion.
type Queue<K> = VecDeque<(u64, K)>;
type Rank = (usize, Reverse<u64>, Option<NetworkKey>);

impl<K: OfNetwork, V> NetworkTable<K, V> {
    /// Creates an empty table, which allocates as it grows.
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        let (entries, networks, by_size) = Default::default();
        Self { capacity, entries, networks, by_size, next: 0 }
    }

    /// Returns the value of `key`.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Returns the value of `key`, inserted if it is missing.
    pub(crate) fn get_or_insert(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains_key(&key) {
            if self.is_full() {
                self.evict();
            }
            let (number, network) = (self.next, key.network());
            self.next += 1;
            self.change_queue(network, |queue| queue.push_back((number, key.clone())));
        }
        self.entries.entry(key).or_insert_with(value)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= self.capacity.get()
    }

    /// Keeps the entries that `keep` accepts.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|_, value| keep(value));
        let entries = &self.entries;
        self.networks.retain(|_, queue| {
            queue.retain(|(_, key)| entries.contains_key(key));
            !queue.is_empty()
        });
        self.by_size = self.networks.iter().filter_map(|(network, queue)| rank(*network, queue)).collect();
    }

    /// Removes all entries and frees their memory.
    ///
    /// A flood in one time window must not hold memory in the next.
    pub(crate) fn clear(&mut self) {
        *self = Self { next: self.next, ..Self::new(self.capacity) };
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn evict(&mut self) {
        let Some((.., heaviest)) = self.by_size.last().copied() else { return };
        let oldest = self.change_queue(heaviest, VecDeque::pop_front);
        if let Some((_, key)) = oldest {
            self.entries.remove(&key);
        }
    }

    /// Changes the queue of a network, and ranks the network again.
    fn change_queue<A>(&mut self, network: Option<NetworkKey>, change: impl FnOnce(&mut Queue<K>) -> A) -> A {
        let queue = self.networks.entry(network).or_default();
        if let Some(rank) = rank(network, queue) {
            self.by_size.remove(&rank);
        }
        let outcome = change(queue);
        match rank(network, queue) {
            Some(rank) => drop(self.by_size.insert(rank)),
            None => drop(self.networks.remove(&network)),
        }
        outcome
    }
}

/// Returns the rank of a network; `None` without entries.
fn rank<K>(network: Option<NetworkKey>, queue: &Queue<K>) -> Option<Rank> {
    queue.front().map(|(number, _)| (queue.len(), Reverse(*number), network))
}

impl OfNetwork for NetworkKey {
    fn network(&self) -> Option<NetworkKey> {
        Some(*self)
    }
}

impl OfNetwork for (ClientKey, NetworkKey) {
    fn network(&self) -> Option<NetworkKey> {
        Some(self.1)
    }
}

impl OfNetwork for (TransferId, NetworkKey) {
    fn network(&self) -> Option<NetworkKey> {
        Some(self.1)
    }
}

impl OfNetwork for (LinkId, NetworkKey) {
    fn network(&self) -> Option<NetworkKey> {
        Some(self.1)
    }
}

impl OfNetwork for LinkId {
    fn network(&self) -> Option<NetworkKey> {
        None
    }
}

impl OfNetwork for TransferId {
    fn network(&self) -> Option<NetworkKey> {
        None
    }
}

impl OfNetwork for TokenId {
    fn network(&self) -> Option<NetworkKey> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Key(u8, u32);

    impl OfNetwork for Key {
        fn network(&self) -> Option<NetworkKey> {
            Some(NetworkKey::of_test(self.0))
        }
    }

    fn table(capacity: usize) -> NetworkTable<Key, u32> {
        NetworkTable::new(NonZeroUsize::new(capacity).unwrap())
    }

    #[test]
    fn a_flood_of_one_network_evicts_its_own_oldest_entry() {
        let mut table = table(4);
        table.get_or_insert(Key(1, 0), || 10);
        for number in 0..1_000 {
            table.get_or_insert(Key(2, number), || number);
            assert_eq!(table.get_mut(&Key(1, 0)), Some(&mut 10), "a flood evicted an entry of another network");
        }
        assert_eq!(table.len(), 4);
        assert_eq!(table.get_mut(&Key(2, 996)), None);
        assert!((997..1_000).all(|number| table.get_mut(&Key(2, number)).is_some()));
    }

    #[test]
    fn networks_of_one_size_lose_the_oldest_entry() {
        let mut table = table(3);
        for network in 1..=3 {
            table.get_or_insert(Key(network, 0), || 0);
        }
        table.get_or_insert(Key(4, 0), || 0);
        assert_eq!([1, 2, 3, 4].map(|network| table.get_mut(&Key(network, 0)).is_some()), [false, true, true, true]);
    }

    #[test]
    fn a_known_key_evicts_nothing_and_keeps_its_value() {
        let mut table = table(2);
        *table.get_or_insert(Key(1, 0), || 1) = 5;
        table.get_or_insert(Key(1, 1), || 1);
        assert_eq!(*table.get_or_insert(Key(1, 0), || 1), 5);
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn removed_entries_leave_nothing_behind() {
        let mut table = table(4);
        for number in 0..4 {
            table.get_or_insert(Key(u8::try_from(number % 2).unwrap(), number), || number);
        }
        table.retain(|value| value % 2 == 0);
        assert_eq!((table.len(), table.networks.len(), table.by_size.len()), (2, 1, 1));
        table.get_or_insert(Key(0, 9), || 9);
        table.get_or_insert(Key(1, 9), || 9);
        table.get_or_insert(Key(1, 10), || 10);
        assert_eq!(table.get_mut(&Key(0, 0)), None, "not the oldest entry of the heaviest network was evicted");
        table.clear();
        assert_eq!((table.len(), table.networks.len(), table.by_size.len()), (0, 0, 0));
    }
}
