//! Rate limits per client address and per sender token.

use std::hash::{BuildHasher, RandomState};
use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::address::{ClientKey, NetworkKey};
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::limits::LimitName;
use crate::domain::limits::network_table::{NetworkTable, OfNetwork};

/// Shards per table, each with its own lock.
const SHARDS: usize = 16;
/// Maximum entries per shard. A full shard evicts as described at [`NetworkTable`].
const MAX_PER_SHARD: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// Minimum interval between two removals of the expired entries of a full shard.
const CLEAN_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum rate: one request per nanosecond, the resolution of [`Duration`].
const MAX_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000_000_000).unwrap();

/// A rate limit: a burst of requests, then a number of requests per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

/// The error for text that is not a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate limit looks like 50/s, or 50/s:500 with a burst of 500")]
pub struct InvalidRate;

impl RateLimit {
    /// Creates a limit of `burst` requests at once, refilled at `per_second` requests per second.
    #[must_use]
    pub const fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { per_second, burst }
    }

    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.get()
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
        const BURST: NonZeroU32 = NonZeroU32::new(500).unwrap();
        Self::new(PER_SECOND, BURST)
    }
}

impl FromStr for RateLimit {
    type Err = InvalidRate;

    /// Parses `N/s` or `N/s:BURST`; the default burst is `N`.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (rate, burst) = text.split_once("/s").ok_or(InvalidRate)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidRate);
        let per_second = number(rate)?;
        if per_second > MAX_PER_SECOND {
            return Err(InvalidRate);
        }
        let burst = match burst.strip_prefix(':') {
            Some(burst) => number(burst)?,
            None if burst.is_empty() => per_second,
            None => return Err(InvalidRate),
        };
        Ok(Self { per_second, burst })
    }
}

/// The rate limiter of a service: one table by client address, one by sender token.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    addresses: RateTable<(ClientKey, NetworkKey)>,
    tokens: RateTable<TokenId>,
}

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            addresses: RateTable::new(LimitName::ClientRate, limit),
            tokens: RateTable::new(LimitName::TokenRate, limit),
        }
    }

    /// Counts a request from a client address.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the address exceeds its rate.
    pub(crate) fn count_address(&self, client: (ClientKey, NetworkKey)) -> Result<(), Error> {
        self.addresses.count(client, Instant::now())
    }

    /// Checks that a client address is within its rate, without counting a request.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if a counted request would be rejected.
    pub(crate) fn check_address(&self, client: (ClientKey, NetworkKey)) -> Result<(), Error> {
        self.addresses.check(&client, Instant::now())
    }

    /// Counts a request with a sender token.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the token exceeds its rate.
    pub(crate) fn count_token(&self, token: TokenId) -> Result<(), Error> {
        self.tokens.count(token, Instant::now())
    }
}

/// Mark of an upload request that counts only if it fails, in the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UncountedPiece;

/// Generic cell rate algorithm (GCRA, ITU-T I.371) with one timestamp per key.
///
/// The timestamp of a key is the time at which its burst is full again. An entry with a past timestamp equals a missing
/// entry, so its removal loses nothing. The eviction of another entry gives its key a new burst.
#[derive(Debug)]
struct RateTable<K> {
    name: LimitName,
    limit: RateLimit,
    hasher: RandomState,
    shards: Box<[Mutex<Shard<K>>]>,
}

#[derive(Debug)]
struct Shard<K> {
    full_again_at: NetworkTable<K, Instant>,
    cleaned_at: Option<Instant>,
}

impl<K: OfNetwork> RateTable<K> {
    fn new(name: LimitName, limit: RateLimit) -> Self {
        let shard = || Mutex::new(Shard { full_again_at: NetworkTable::new(MAX_PER_SHARD), cleaned_at: None });
        Self { name, limit, hasher: RandomState::new(), shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K>> {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).expect("the index is less than 16");
        self.shards[shard].lock().expect("nothing panics while it holds this lock")
    }

    fn check(&self, key: &K, now: Instant) -> Result<(), Error> {
        let Some(full_again_at) = self.shard(key).full_again_at.get_mut(key).copied() else { return Ok(()) };
        self.refill(full_again_at, now).map(drop)
    }

    /// Returns the time at which the burst of a key is full again after one more request.
    fn refill(&self, full_again_at: Instant, now: Instant) -> Result<Instant, Error> {
        let interval = self.limit.interval();
        let full_again_at = full_again_at.max(now) + interval;
        let (refill_time, max) = (full_again_at - now, interval * self.limit.burst.get());
        if refill_time > max {
            return Err(Error::RateLimited { limit: self.name, retry_after: refill_time.saturating_sub(max) });
        }
        Ok(full_again_at)
    }

    fn count(&self, key: K, now: Instant) -> Result<(), Error> {
        let mut shard = self.shard(&key);
        shard.clean_if_full(now);
        let full_again_at = shard.full_again_at.get_or_insert(key, || now);
        *full_again_at = self.refill(*full_again_at, now)?;
        Ok(())
    }
}

impl<K: OfNetwork> Shard<K> {
    /// Removes the expired entries of a full shard, so that no other entry is evicted instead.
    fn clean_if_full(&mut self, now: Instant) {
        if self.full_again_at.is_full() && self.cleaned_at.is_none_or(|at| at + CLEAN_INTERVAL <= now) {
            self.cleaned_at = Some(now);
            self.full_again_at.retain(|full_again_at| *full_again_at > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> RateLimit {
        text.parse().unwrap()
    }

    fn key(network: u8, address: u32) -> (ClientKey, NetworkKey) {
        (ClientKey::of_test(address), NetworkKey::of_test(network))
    }

    fn retry_after(result: Result<(), Error>) -> Duration {
        match result {
            Err(Error::RateLimited { retry_after, .. }) => retry_after,
            other => panic!("not rate limited: {other:?}"),
        }
    }

    #[test]
    fn rate_limits_are_parsed() {
        assert_eq!(limit("50/s:500"), RateLimit::default());
        assert_eq!(limit("7/s"), limit("7/s:7"));
        for bad in ["", "50", "0/s", "50/s:0", "50/s:", "50/m", "-1/s", "50/s:x", "/s", "50/s500", "4294967296/s"] {
            assert_eq!(bad.parse::<RateLimit>(), Err(InvalidRate), "{bad}");
        }
    }

    #[test]
    fn a_burst_refills_at_the_rate() {
        let (table, start) = (RateTable::new(LimitName::ClientRate, limit("10/s:3")), Instant::now());
        for _ in 0..3 {
            table.count(key(1, 0), start).unwrap();
        }
        assert_eq!(retry_after(table.count(key(1, 0), start)), Duration::from_millis(100));
        table.count(key(2, 0), start).unwrap();
        let later = start + Duration::from_millis(100);
        table.count(key(1, 0), later).unwrap();
        table.count(key(1, 0), later).unwrap_err();
        let much_later = start + Duration::from_mins(1);
        assert_eq!(
            (0..10).filter(|_| table.count(key(1, 0), much_later).is_ok()).count(),
            3,
            "refilled beyond the burst"
        );
    }

    #[test]
    fn rejected_requests_do_not_count() {
        let (table, start) = (RateTable::new(LimitName::ClientRate, limit("1/s:1")), Instant::now());
        table.count(key(1, 0), start).unwrap();
        for _ in 0..1_000 {
            table.count(key(1, 0), start).unwrap_err();
        }
        table.count(key(1, 0), start + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_flood_of_addresses_uses_bounded_memory_and_keeps_no_other_network_out() {
        let (table, start) = (RateTable::new(LimitName::ClientRate, limit("1/s:2")), Instant::now());
        let known = key(1, 0);
        table.count(known, start).unwrap();
        table.count(known, start).unwrap();
        for number in 0..150_000 {
            table.count(key(2 + u8::try_from(number % 4).unwrap(), number), start).unwrap();
        }
        let entries: usize = table.shards.iter().map(|shard| shard.lock().unwrap().full_again_at.len()).sum();
        assert_eq!(entries, SHARDS * MAX_PER_SHARD.get());
        table.count(known, start).unwrap_err();
        for network in 6..=u8::MAX {
            table.count(key(network, 0), start).unwrap();
        }
        table.count(known, start).unwrap_err();
        // Expired entries make room first.
        let later = start + Duration::from_secs(2);
        for number in 0..1_000 {
            table.count(key(3, number), later).unwrap();
        }
        let entries: usize = table.shards.iter().map(|shard| shard.lock().unwrap().full_again_at.len()).sum();
        assert!(entries < SHARDS * MAX_PER_SHARD.get() / 2, "{entries} entries after all have expired");
    }
}
