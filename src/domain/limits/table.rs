//! Table with one value per key and time window, of a fixed capacity.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::domain::timestamp::Timestamp;

/// Window, capacity and eviction of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct TablePolicy {
    /// Length of a window, at least one millisecond.
    ///
    /// Windows follow each other without gaps from the Unix epoch, so hours and days are those of UTC.
    pub(crate) window: Duration,
    /// Maximum number of keys.
    pub(crate) capacity: NonZeroUsize,
    /// Handling of a new key in a full table.
    pub(crate) when_full: WhenFull,
    /// Handling of a time before the current window.
    pub(crate) earlier_clock: EarlierClock,
}

/// Handling of a new key in a full table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Rejects new keys until the window ends; no key is forgotten.
    RejectNewKeys,
    /// Evicts the least recently used key; no new key is rejected.
    EvictLeastRecentlyUsed,
}

/// Handling of a time before the current window. Concurrent requests read the clock in another order than they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarlierClock {
    /// A time in the preceding window counts in the current window; an earlier time starts a new window.
    CountsInCurrentWindow,
    /// Any time in another window starts a new window.
    StartsOver,
    /// Any time in another window starts a new window for the requested key alone. Keys of other windows stay until they
    /// are evicted, so this suits only [`WhenFull::EvictLeastRecentlyUsed`].
    KeyStartsOver,
}

/// Values per key, which last until the time window ends.
pub(crate) struct Table<K: Eq + Hash, V> {
    policy: TablePolicy,
    /// Number of the current window, counted from the Unix epoch.
    number: Option<u64>,
    entries: Entries<K, Entry<V>>,
}

/// Value with the number of its window. The number differs from the table's only under [`EarlierClock::KeyStartsOver`].
struct Entry<V> {
    number: u64,
    value: V,
}

/// One variant per [`WhenFull`]: only eviction needs the order of use.
enum Entries<K: Eq + Hash, V> {
    Rejecting(HashMap<K, V>),
    Evicting(LruCache<K, V>),
}

impl TablePolicy {
    /// Policy of counts that may be forgotten. Evicts the least recently used key, and starts over at every change of
    /// the window.
    pub(crate) const fn evicting(window: Duration, capacity: NonZeroUsize) -> Self {
        Self { window, capacity, when_full: WhenFull::EvictLeastRecentlyUsed, earlier_clock: EarlierClock::StartsOver }
    }

    /// Policy of failed attempts to guess a secret: rejects new keys. Evicting a key, or starting a window over, would
    /// give further attempts.
    pub(crate) const fn rejecting(window: Duration, capacity: NonZeroUsize) -> Self {
        Self {
            window,
            capacity,
            when_full: WhenFull::RejectNewKeys,
            earlier_clock: EarlierClock::CountsInCurrentWindow,
        }
    }

    fn window_millis(self) -> u64 {
        u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX)
    }

    fn number_at(self, now: Timestamp) -> u64 {
        now.as_millis() / self.window_millis()
    }

    /// Returns the time from `now` to the end of its window.
    pub(crate) fn remaining(self, now: Timestamp) -> Duration {
        Duration::from_millis((self.number_at(now) + 1) * self.window_millis() - now.as_millis())
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    /// Creates an empty table.
    pub(crate) fn new(policy: TablePolicy) -> Self {
        let entries = match policy.when_full {
            WhenFull::RejectNewKeys => Entries::Rejecting(HashMap::new()),
            WhenFull::EvictLeastRecentlyUsed => Entries::Evicting(LruCache::new(policy.capacity)),
        };
        Self { policy, number: None, entries }
    }

    /// Returns the policy of the table.
    pub(crate) fn policy(&self) -> TablePolicy {
        self.policy
    }

    /// Returns the value of `key` in the window of `now`, and marks it as used.
    pub(crate) fn get_mut(&mut self, key: &K, now: Timestamp) -> Option<&mut V> {
        let number = self.enter_window(now);
        let entry = match &mut self.entries {
            Entries::Rejecting(entries) => entries.get_mut(key),
            Entries::Evicting(entries) => entries.get_mut(key),
        };
        entry.filter(|entry| entry.number == number).map(|entry| &mut entry.value)
    }

    /// Returns the value of `key` in the window of `now`, inserted if it is missing.
    ///
    /// Returns `None` for a new key if the table [rejects](Table::rejects_new_keys) it.
    pub(crate) fn get_or_insert(&mut self, key: K, now: Timestamp, value: impl Fn() -> V) -> Option<&mut V> {
        let number = self.enter_window(now);
        let rejects = self.rejects_new_keys();
        let entry = || Entry { number, value: value() };
        let stored = match &mut self.entries {
            Entries::Rejecting(entries) => {
                if rejects {
                    entries.get_mut(&key)?
                } else {
                    entries.entry(key).or_insert_with(entry)
                }
            }
            Entries::Evicting(entries) => entries.get_or_insert_mut(key, entry),
        };
        if stored.number != number {
            *stored = entry();
        }
        Some(&mut stored.value)
    }

    /// Returns whether the table is full, and its policy is to reject new keys.
    pub(crate) fn rejects_new_keys(&self) -> bool {
        match &self.entries {
            Entries::Rejecting(entries) => entries.len() >= self.policy.capacity.get(),
            Entries::Evicting(_) => false,
        }
    }

    /// Empties the table if `now` is in another window, and returns the number of the window that counts.
    pub(crate) fn enter_window(&mut self, now: Timestamp) -> u64 {
        let number = self.policy.number_at(now);
        if let Some(current) = self.number
            && self.policy.earlier_clock == EarlierClock::CountsInCurrentWindow
            && number + 1 == current
        {
            return current;
        }
        if self.number != Some(number) && self.policy.earlier_clock != EarlierClock::KeyStartsOver {
            match &mut self.entries {
                // A new map: a flood in one window must not hold memory in the following ones.
                Entries::Rejecting(entries) => *entries = HashMap::new(),
                Entries::Evicting(entries) => entries.clear(),
            }
        }
        self.number = Some(number);
        number
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Rejecting(entries) => entries.len(),
            Entries::Evicting(entries) => entries.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(12 * 3_600_000);
    const BEFORE_NOON: Timestamp = Timestamp::from_millis(12 * 3_600_000 - 1);

    fn table(when_full: WhenFull, earlier_clock: EarlierClock) -> Table<u32, u32> {
        let capacity = NonZeroUsize::new(2).unwrap();
        Table::new(TablePolicy { window: Duration::from_hours(1), capacity, when_full, earlier_clock })
    }

    #[test]
    fn a_full_table_rejects_new_keys_or_evicts_the_least_recently_used() {
        let mut rejecting = table(WhenFull::RejectNewKeys, EarlierClock::StartsOver);
        let mut evicting = table(WhenFull::EvictLeastRecentlyUsed, EarlierClock::StartsOver);
        for table in [&mut rejecting, &mut evicting] {
            table.get_or_insert(1, NOON, || 10).unwrap();
            table.get_or_insert(2, NOON, || 20).unwrap();
            assert_eq!(table.get_or_insert(1, NOON, || 0), Some(&mut 10), "a known key was replaced");
        }
        assert_eq!(rejecting.get_or_insert(3, NOON, || 30), None);
        assert_eq!(rejecting.get_mut(&1, NOON), Some(&mut 10));
        assert_eq!(rejecting.len(), 2);
        assert_eq!(evicting.get_or_insert(3, NOON, || 30), Some(&mut 30));
        assert_eq!(evicting.get_mut(&2, NOON), None);
        assert_eq!(evicting.len(), 2);
        assert_eq!(evicting.get_mut(&1, NOON), Some(&mut 10));
    }

    #[test]
    fn values_last_until_the_window_ends() {
        for when_full in [WhenFull::RejectNewKeys, WhenFull::EvictLeastRecentlyUsed] {
            let mut table = table(when_full, EarlierClock::StartsOver);
            table.get_or_insert(1, BEFORE_NOON, || 10);
            assert_eq!(table.get_mut(&1, BEFORE_NOON), Some(&mut 10));
            assert_eq!(table.get_mut(&1, NOON), None, "windows do not start at full hours");
        }
    }

    #[test]
    fn an_earlier_clock_counts_in_the_current_window_or_starts_over() {
        let mut counting = table(WhenFull::RejectNewKeys, EarlierClock::CountsInCurrentWindow);
        counting.get_or_insert(1, NOON, || 10);
        assert_eq!(counting.get_mut(&1, BEFORE_NOON), Some(&mut 10));
        assert_eq!(counting.get_mut(&1, Timestamp::from_millis(0)), None, "a clock set back stops the limit");
        let mut starting_over = table(WhenFull::RejectNewKeys, EarlierClock::StartsOver);
        starting_over.get_or_insert(1, NOON, || 10);
        assert_eq!(starting_over.get_mut(&1, BEFORE_NOON), None);
        assert_eq!(starting_over.get_mut(&1, NOON), None);
        let mut by_key = table(WhenFull::EvictLeastRecentlyUsed, EarlierClock::KeyStartsOver);
        by_key.get_or_insert(1, NOON, || 10);
        by_key.get_or_insert(2, NOON, || 20);
        assert_eq!(by_key.get_or_insert(2, BEFORE_NOON, || 21), Some(&mut 21));
        assert_eq!(by_key.get_mut(&1, NOON), Some(&mut 10), "another key started over");
        assert_eq!(by_key.get_mut(&2, NOON), None);
    }
}
