//! Table with one value per key and time window, of a fixed capacity.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::network_table::{NetworkTable, OfNetwork};
use crate::domain::timestamp::Timestamp;

/// Window and capacity of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct TablePolicy {
    /// Length of a window, at least one millisecond.
    ///
    /// Windows follow each other without gaps from the Unix epoch, so hours and days are those of UTC.
    pub(crate) window: Duration,
    /// Maximum number of keys. See [`NetworkTable`] for a new key in a full table.
    pub(crate) capacity: NonZeroUsize,
}

/// Values per key, which last until the time window ends.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    policy: TablePolicy,
    /// Number of the current window, counted from the Unix epoch.
    number: Option<u64>,
    entries: NetworkTable<K, V>,
}

impl TablePolicy {
    pub(crate) const fn new(window: Duration, capacity: NonZeroUsize) -> Self {
        Self { window, capacity }
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

impl<K: OfNetwork, V> Table<K, V> {
    /// Creates an empty table.
    pub(crate) fn new(policy: TablePolicy) -> Self {
        Self { policy, number: None, entries: NetworkTable::new(policy.capacity) }
    }

    /// Returns the policy of the table.
    pub(crate) fn policy(&self) -> TablePolicy {
        self.policy
    }

    /// Returns the value of `key` in the window of `now`.
    pub(crate) fn get_mut(&mut self, key: &K, now: Timestamp) -> Option<&mut V> {
        self.enter_window(now);
        self.entries.get_mut(key)
    }

    /// Returns the value of `key` in the window of `now`, inserted if it is missing.
    pub(crate) fn get_or_insert(&mut self, key: K, now: Timestamp, value: impl FnOnce() -> V) -> &mut V {
        self.enter_window(now);
        self.entries.get_or_insert(key, value)
    }

    /// Empties the table if `now` is in another window.
    ///
    /// A time in the window before the current one counts in the current one, since concurrent requests read the clock in
    /// another order than they count. A clock that was set back further starts a new window.
    fn enter_window(&mut self, now: Timestamp) {
        let number = self.policy.number_at(now);
        if self.number == Some(number) || self.number == Some(number + 1) {
            return;
        }
        if self.number.is_some() {
            self.entries.clear();
        }
        self.number = Some(number);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::NetworkKey;

    const NOON: Timestamp = Timestamp::from_millis(12 * 3_600_000);
    const BEFORE_NOON: Timestamp = Timestamp::from_millis(12 * 3_600_000 - 1);
    const KEY: NetworkKey = NetworkKey::of_test(1);

    fn table() -> Table<NetworkKey, u32> {
        Table::new(TablePolicy::new(Duration::from_hours(1), NonZeroUsize::new(2).unwrap()))
    }

    #[test]
    fn values_last_until_the_window_ends() {
        let mut table = table();
        table.get_or_insert(KEY, BEFORE_NOON, || 10);
        assert_eq!(*table.get_or_insert(KEY, BEFORE_NOON, || 0), 10, "a known key was replaced");
        assert_eq!(table.get_mut(&KEY, BEFORE_NOON), Some(&mut 10));
        assert_eq!(table.get_mut(&KEY, NOON), None, "windows do not start at full hours");
    }

    #[test]
    fn an_earlier_clock_counts_in_the_current_window() {
        let mut table = table();
        table.get_or_insert(KEY, NOON, || 10);
        assert_eq!(table.get_mut(&KEY, BEFORE_NOON), Some(&mut 10));
        assert_eq!(table.get_mut(&KEY, Timestamp::from_millis(0)), None, "a clock set back stops the limit");
    }

    #[test]
    fn a_full_table_rejects_nobody() {
        let mut table = table();
        for network in 1..=3 {
            table.get_or_insert(NetworkKey::of_test(network), NOON, || network.into());
        }
        assert_eq!(table.len(), 2);
        assert_eq!(table.get_mut(&NetworkKey::of_test(3), NOON), Some(&mut 3));
    }
}
