//! Limit on concurrent uses per key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

/// Allows each key a maximum number of permits at once; a further request is rejected, not queued.
///
/// The table holds only keys with a permit, so it needs no capacity: the total number of permits bounds its
/// size. A limit without keys is a [`tokio::sync::Semaphore`].
pub(crate) struct Concurrency<K: Eq + Hash> {
    max_per_key: usize,
    counts: UseCounts<K>,
}

type UseCounts<K> = Arc<Mutex<HashMap<K, usize>>>;

/// One concurrent use of a key, which ends when this permit is dropped.
pub(crate) struct Permit<K: Eq + Hash> {
    key: K,
    counts: UseCounts<K>,
}

impl<K: Copy + Eq + Hash> Concurrency<K> {
    /// Creates a limit of `max_per_key` permits at once per key.
    pub(crate) fn per_key(max_per_key: usize) -> Self {
        Self { max_per_key, counts: UseCounts::default() }
    }

    /// Returns a permit for `key`, or `None` if all its permits are in use.
    pub(crate) fn try_acquire(&self, key: K) -> Option<Permit<K>> {
        let mut counts = lock(&self.counts);
        let count = counts.get(&key).copied().unwrap_or_default();
        if count >= self.max_per_key {
            return None;
        }
        counts.insert(key, count + 1);
        Some(Permit { key, counts: self.counts.clone() })
    }

    /// Returns the number of permits of all keys.
    pub(crate) fn total(&self) -> usize {
        lock(&self.counts).values().sum()
    }

    /// Returns the number of keys with a permit.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.counts).len()
    }
}

impl<K: Eq + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

fn lock<K>(counts: &UseCounts<K>) -> MutexGuard<'_, HashMap<K, usize>> {
    counts.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_permits_and_gets_them_back() {
        let limit = Concurrency::per_key(2);
        let (first, second) = (limit.try_acquire('a').unwrap(), limit.try_acquire('a').unwrap());
        assert!(limit.try_acquire('a').is_none());
        let other = limit.try_acquire('b').unwrap();
        drop(first);
        let third = limit.try_acquire('a').unwrap();
        assert!(limit.try_acquire('a').is_none());
        drop((second, third, other));
        assert_eq!(limit.len(), 0, "a key without a permit stays in the table");
    }
}
