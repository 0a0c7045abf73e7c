//! How many downloads of a transfer without a limit one site may count: each leaves records that stay for months.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use lru::LruCache;

use crate::domain::address::SiteKey;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;

/// So many in an hour.
const PER_HOUR: u32 = 1_000;
const HOUR_MS: u64 = 3_600_000;
/// Sites and transfers that are remembered. Of further ones, those that asked longest ago start anew.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// What was counted in this hour, and in this process.
#[derive(Debug)]
pub(super) struct NewGrants(Mutex<LruCache<(TransferId, SiteKey), (u64, u32)>>);

impl Default for NewGrants {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl NewGrants {
    /// Lets one more download be counted.
    ///
    /// # Errors
    /// [`Error::RateLimited`] until the hour is over.
    pub(super) fn take(&self, id: TransferId, site: SiteKey, now: Timestamp) -> Result<(), Error> {
        let hour = now.as_millis() / HOUR_MS;
        let mut all = self.0.lock().expect("nothing panics while it holds this lock");
        let counted = all.get_or_insert_mut((id, site), || (hour, 0));
        if counted.0 != hour {
            *counted = (hour, 0);
        }
        if counted.1 >= PER_HOUR {
            let retry_after = Duration::from_millis((hour + 1) * HOUR_MS - now.as_millis());
            return Err(Error::RateLimited { retry_after });
        }
        counted.1 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_counts_so_many_downloads_an_hour() {
        let (grants, id, now) = (NewGrants::default(), TransferId::random(), Timestamp::from_millis(HOUR_MS - 1_000));
        let (one, other) = (SiteKey::of_test(1), SiteKey::of_test(2));
        let taken = (0..PER_HOUR + 5).filter(|_| grants.take(id, one, now).is_ok()).count();
        assert_eq!(taken, PER_HOUR as usize);
        let error = grants.take(id, one, now).unwrap_err();
        assert!(matches!(error, Error::RateLimited { retry_after } if retry_after == Duration::from_secs(1)));
        grants.take(id, other, now).unwrap();
        grants.take(TransferId::random(), one, now).unwrap();
        grants.take(id, one, now.plus(Duration::from_secs(1))).unwrap();
    }
}
