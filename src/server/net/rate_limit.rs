//! Rate limits per client address and per sender token.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::address::ClientKey;
use crate::domain::error::Error;
use crate::domain::id::TokenId;

/// Shards per table, each with its own lock.
const SHARDS: usize = 16;
/// Maximum entries per shard.
const MAX_PER_SHARD: usize = 16_384;
/// Minimum interval between two evictions from a full shard.
const EVICT_INTERVAL: Duration = Duration::from_millis(100);

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
    addresses: Table<ClientKey>,
    tokens: Table<TokenId>,
}

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { addresses: Table::new(limit), tokens: Table::new(limit) }
    }

    /// Counts a request from a client address.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the address exceeds its rate, or the table is full.
    pub(crate) fn count_address(&self, client: ClientKey) -> Result<(), Error> {
        self.addresses.count(client, Instant::now())
    }

    /// Checks that a client address is within its rate, without counting a request.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if a counted request would be rejected.
    pub(crate) fn check_address(&self, client: ClientKey) -> Result<(), Error> {
        self.addresses.check(&client, Instant::now())
    }

    /// Counts a request with a sender token.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the token exceeds its rate, or the table is full.
    pub(crate) fn count_token(&self, token: TokenId) -> Result<(), Error> {
        self.tokens.count(token, Instant::now())
    }
}

/// Mark of an upload request that counts only if it fails, in the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UncountedPiece;

/// Generic cell rate algorithm (GCRA, ITU-T I.371) with one timestamp per key.
///
/// The timestamp of a key is the time at which its burst is full again. An entry with a past timestamp equals a missing entry, so eviction loses nothing.
#[derive(Debug)]
struct Table<K> {
    limit: RateLimit,
    hasher: RandomState,
    shards: Box<[Mutex<Shard<K>>]>,
}

#[derive(Debug)]
struct Shard<K> {
    full_again_at: HashMap<K, Instant>,
    evicted_at: Option<Instant>,
}

impl<K: Eq + Hash> Table<K> {
    fn new(limit: RateLimit) -> Self {
        let shard = || Mutex::new(Shard { full_again_at: HashMap::new(), evicted_at: None });
        Self { limit, hasher: RandomState::new(), shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K>> {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).expect("the index is less than 16");
        self.shards[shard].lock().expect("nothing panics while it holds this lock")
    }

    fn check(&self, key: &K, now: Instant) -> Result<(), Error> {
        let Some(full_again_at) = self.shard(key).full_again_at.get(key).copied() else { return Ok(()) };
        self.refill(full_again_at, now).map(drop)
    }

    /// Returns the time at which the burst of a key is full again after one more request.
    fn refill(&self, full_again_at: Instant, now: Instant) -> Result<Instant, Error> {
        let interval = self.limit.interval();
        let full_again_at = full_again_at.max(now) + interval;
        let (refill_time, max) = (full_again_at - now, interval * self.limit.burst.get());
        if refill_time > max {
            return Err(Error::RateLimited { retry_after: refill_time.saturating_sub(max) });
        }
        Ok(full_again_at)
    }

    fn count(&self, key: K, now: Instant) -> Result<(), Error> {
        let mut shard = self.shard(&key);
        let interval = self.limit.interval();
        let known = shard.full_again_at.get(&key).copied();
        if known.is_none() && !shard.evict_expired(now) {
            // When full, rejects new keys instead of evicting live ones: a flood of addresses must not lift limits.
            return Err(Error::RateLimited { retry_after: interval });
        }
        let full_again_at = self.refill(known.unwrap_or(now), now)?;
        shard.full_again_at.insert(key, full_again_at);
        Ok(())
    }
}

impl<K: Eq + Hash> Shard<K> {
    /// Evicts expired entries from a full shard, and returns whether one more entry fits.
    fn evict_expired(&mut self, now: Instant) -> bool {
        if self.full_again_at.len() < MAX_PER_SHARD {
            return true;
        }
        if self.evicted_at.is_none_or(|evicted_at| evicted_at + EVICT_INTERVAL <= now) {
            self.evicted_at = Some(now);
            self.full_again_at.retain(|_, full_again_at| *full_again_at > now);
        }
        self.full_again_at.len() < MAX_PER_SHARD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> RateLimit {
        text.parse().unwrap()
    }

    fn retry_after(result: Result<(), Error>) -> Duration {
        match result {
            Err(Error::RateLimited { retry_after }) => retry_after,
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
        let (table, start) = (Table::new(limit("10/s:3")), Instant::now());
        for _ in 0..3 {
            table.count(1, start).unwrap();
        }
        assert_eq!(retry_after(table.count(1, start)), Duration::from_millis(100));
        table.count(2, start).unwrap();
        let later = start + Duration::from_millis(100);
        table.count(1, later).unwrap();
        table.count(1, later).unwrap_err();
        let much_later = start + Duration::from_mins(1);
        assert_eq!((0..10).filter(|_| table.count(1, much_later).is_ok()).count(), 3, "refilled beyond the burst");
    }

    #[test]
    fn rejected_requests_do_not_count() {
        let (table, start) = (Table::new(limit("1/s:1")), Instant::now());
        table.count(1, start).unwrap();
        for _ in 0..1_000 {
            table.count(1, start).unwrap_err();
        }
        table.count(1, start + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_million_addresses_use_bounded_memory_and_lift_no_limit() {
        let (table, start) = (Table::new(limit("1/s:2")), Instant::now());
        let known = u32::MAX;
        table.count(known, start).unwrap();
        table.count(known, start).unwrap();
        let accepted = (0..1_000_000).filter(|address| table.count(*address, start).is_ok()).count();
        let entries: usize = table.shards.iter().map(|shard| shard.lock().unwrap().full_again_at.len()).sum();
        assert_eq!((entries, accepted), (SHARDS * MAX_PER_SHARD, SHARDS * MAX_PER_SHARD - 1));
        table.count(known, start).unwrap_err();
        // Entries are evicted once their burst is full again, not earlier.
        table.count(2_000_000, start + Duration::from_millis(900)).unwrap_err();
        table.count(2_000_000, start + Duration::from_millis(1_100)).unwrap();
        table.count(known, start + Duration::from_millis(1_100)).unwrap();
        table.count(known, start + Duration::from_millis(1_100)).unwrap_err();
    }
}
