//! Limit on a count per key and time window.

use std::sync::Mutex;

use super::LimitName;
use super::network_table::OfNetwork;
use super::table::{Table, TablePolicy};
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;

/// Policy of a [`Window`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowPolicy {
    /// Name in metrics.
    pub(crate) limit: LimitName,
    /// Maximum count per key and window.
    pub(crate) max: u32,
    /// Window and capacity.
    pub(crate) table: TablePolicy,
}

/// Counts per key in consecutive time windows, within this process.
#[derive(Debug)]
pub(crate) struct Window<K> {
    limit: LimitName,
    max: u32,
    counts: Mutex<Table<K, u32>>,
}

impl<K: OfNetwork> Window<K> {
    /// Creates a limit without counts.
    pub(crate) fn new(policy: WindowPolicy) -> Self {
        Self { limit: policy.limit, max: policy.max, counts: Mutex::new(Table::new(policy.table)) }
    }

    /// Counts one use of `key`, unless `key` has reached the limit.
    ///
    /// # Errors
    /// [`Error::RateLimited`] until the window ends.
    pub(crate) fn try_count(&self, key: K, now: Timestamp) -> Result<(), Error> {
        self.count_if(key, now, || (), |()| true)
    }

    /// Runs `action` unless `key` has reached the limit; counts one use if `counts` accepts the outcome.
    ///
    /// `action` runs under the lock, so concurrent requests can't exceed the limit.
    ///
    /// # Errors
    /// [`Error::RateLimited`], like [`Window::try_count`]; `action` does not run in that case.
    pub(crate) fn count_if<A>(
        &self,
        key: K,
        now: Timestamp,
        action: impl FnOnce() -> A,
        counts: impl FnOnce(&A) -> bool,
    ) -> Result<A, Error> {
        let mut table = self.counts.lock().expect("`action` does not panic");
        if table.get_mut(&key, now).is_some_and(|count| *count >= self.max) {
            return Err(Error::RateLimited { limit: self.limit, retry_after: table.policy().remaining(now) });
        }
        let outcome = action();
        if counts(&outcome) {
            *table.get_or_insert(key, now, || 0) += 1;
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::address::NetworkKey;
    use crate::domain::id::TransferId;
    use crate::domain::limits::download_limit::NEW_DOWNLOADS;

    #[test]
    fn downloads_are_limited_per_network_transfer_and_hour() {
        let (downloads, id) = (Window::new(NEW_DOWNLOADS), TransferId::random());
        let now = Timestamp::from_millis(3_600_000 - 1_000);
        let (one, other) = (NetworkKey::of_test(1), NetworkKey::of_test(2));
        let allowed = (0..1_005).filter(|_| downloads.try_count((id, one), now).is_ok()).count();
        assert_eq!(allowed, 1_000);
        let error = downloads.try_count((id, one), now).unwrap_err();
        assert!(matches!(error, Error::RateLimited { retry_after, .. } if retry_after == Duration::from_secs(1)));
        downloads.try_count((id, other), now).unwrap();
        downloads.try_count((TransferId::random(), one), now).unwrap();
        let next_hour = now.plus(Duration::from_secs(1));
        for _ in 0..1_000 {
            downloads.try_count((id, one), next_hour).unwrap();
        }
        downloads.try_count((id, other), now).unwrap();
        downloads.try_count((id, one), next_hour).unwrap_err();
    }

    #[test]
    fn a_full_table_of_downloads_evicts_the_oldest_count_of_the_heaviest_network() {
        let (downloads, network, now) = (Window::new(NEW_DOWNLOADS), NetworkKey::of_test(1), Timestamp::from_millis(0));
        let first = TransferId::random();
        for _ in 0..1_000 {
            downloads.try_count((first, network), now).unwrap();
        }
        downloads.try_count((first, network), now).unwrap_err();
        for _ in 0..NEW_DOWNLOADS.table.capacity.get() {
            downloads.try_count((TransferId::random(), network), now).unwrap();
        }
        assert_eq!(downloads.counts.lock().unwrap().len(), 65_536);
        downloads.try_count((first, network), now).unwrap();
    }
}
