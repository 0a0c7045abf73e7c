//! Limit on new downloads per network of a transfer without a download limit, since each leaves records for months.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use lru::LruCache;

use crate::domain::address::NetworkKey;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;

/// Maximum number of new downloads per transfer, network and hour.
const PER_HOUR: u32 = 1_000;
const HOUR_MS: u64 = 3_600_000;
/// Maximum number of counts in memory; beyond it, the least recently used count is evicted and restarts at 0.
const CACHED_COUNTS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Hour number and download count per transfer and network, within this process.
#[derive(Debug)]
pub(crate) struct DownloadRateLimit(Mutex<LruCache<(TransferId, NetworkKey), (u64, u32)>>);

impl Default for DownloadRateLimit {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CACHED_COUNTS)))
    }
}

impl DownloadRateLimit {
    /// Counts one new download.
    ///
    /// # Errors
    /// [`Error::RateLimited`] until the end of the hour, if the limit is reached.
    pub(crate) fn try_count(&self, id: TransferId, network: NetworkKey, now: Timestamp) -> Result<(), Error> {
        let hour = now.as_millis() / HOUR_MS;
        let mut counts = self.0.lock().expect("the lock is never poisoned");
        let count = counts.get_or_insert_mut((id, network), || (hour, 0));
        if count.0 != hour {
            *count = (hour, 0);
        }
        if count.1 >= PER_HOUR {
            let retry_after = Duration::from_millis((hour + 1) * HOUR_MS - now.as_millis());
            return Err(Error::RateLimited { retry_after });
        }
        count.1 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_are_limited_per_network_transfer_and_hour() {
        let (grants, id, now) =
            (DownloadRateLimit::default(), TransferId::random(), Timestamp::from_millis(HOUR_MS - 1_000));
        let (one, other) = (NetworkKey::of_test(1), NetworkKey::of_test(2));
        let taken = (0..PER_HOUR + 5).filter(|_| grants.try_count(id, one, now).is_ok()).count();
        assert_eq!(taken, PER_HOUR as usize);
        let error = grants.try_count(id, one, now).unwrap_err();
        assert!(matches!(error, Error::RateLimited { retry_after } if retry_after == Duration::from_secs(1)));
        grants.try_count(id, other, now).unwrap();
        grants.try_count(TransferId::random(), one, now).unwrap();
        grants.try_count(id, one, now.plus(Duration::from_secs(1))).unwrap();
    }
}
