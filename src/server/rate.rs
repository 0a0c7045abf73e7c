//! How many requests somebody may make.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::address::ClientKey;
use crate::domain::error::Error;
use crate::domain::id::TokenId;

/// Parts of a table, each with a lock of its own.
const SHARDS: usize = 16;
/// Those whose rate is known at once, at most, in one part.
const PER_SHARD: usize = 16_384;
/// How often a full part is looked through for those who need not be known any more.
const CLEAN_EVERY: Duration = Duration::from_millis(100);

/// The highest rate: between two requests of a higher one no whole nanosecond passes.
const MOST_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000_000_000).unwrap();

/// So many requests in a row, and then so many a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is written like 50/s, or 50/s:500 for 500 at once")]
pub struct InvalidRate;

impl RateLimit {
    /// `burst` requests in a row, and `per_second` of them come back each second.
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

    /// Reads `N/s` or `N/s:BURST`; without a burst it is one second's worth.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (rate, burst) = text.split_once("/s").ok_or(InvalidRate)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidRate);
        let per_second = number(rate)?;
        if per_second > MOST_PER_SECOND {
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

/// The rates of a service's users: by address, and by sender token.
#[derive(Debug)]
pub(super) struct RateLimiter {
    addresses: Table<ClientKey>,
    tokens: Table<TokenId>,
}

impl RateLimiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { addresses: Table::new(limit), tokens: Table::new(limit) }
    }

    /// Counts a request from an address.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn count_address(&self, client: ClientKey) -> Result<(), Error> {
        self.addresses.count(client, Instant::now())
    }

    /// Counts a request with a sender token.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn count_token(&self, token: TokenId) -> Result<(), Error> {
        self.tokens.count(token, Instant::now())
    }
}

/// The generic cell rate algorithm (ITU-T I.371): of each user only the time is kept at which nothing of what was used
/// would be missing any more. One for whom that time has come is as good as unknown.
#[derive(Debug)]
struct Table<K> {
    limit: RateLimit,
    hasher: RandomState,
    shards: Box<[Mutex<Shard<K>>]>,
}

#[derive(Debug)]
struct Shard<K> {
    full_again_at: HashMap<K, Instant>,
    cleaned_at: Option<Instant>,
}

impl<K: Eq + Hash> Table<K> {
    fn new(limit: RateLimit) -> Self {
        let shard = || Mutex::new(Shard { full_again_at: HashMap::new(), cleaned_at: None });
        Self { limit, hasher: RandomState::new(), shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    fn count(&self, who: K, now: Instant) -> Result<(), Error> {
        let shard = usize::try_from(self.hasher.hash_one(&who) % SHARDS as u64).expect("it is less than 16");
        let mut shard = self.shards[shard].lock().expect("nothing panics while it holds this lock");
        let interval = self.limit.interval();
        let known = shard.full_again_at.get(&who).copied();
        if known.is_none() && !shard.has_room(now) {
            // Whom it knows it goes on limiting: a flood of addresses must not wash out the others.
            return Err(Error::RateLimited { retry_after: interval });
        }
        let full_again_at = known.unwrap_or(now).max(now) + interval;
        let missing = full_again_at - now;
        let most = interval * self.limit.burst.get();
        if missing > most {
            return Err(Error::RateLimited { retry_after: missing.saturating_sub(most) });
        }
        shard.full_again_at.insert(who, full_again_at);
        Ok(())
    }
}

impl<K: Eq + Hash> Shard<K> {
    fn has_room(&mut self, now: Instant) -> bool {
        if self.full_again_at.len() < PER_SHARD {
            return true;
        }
        if self.cleaned_at.is_none_or(|cleaned| cleaned + CLEAN_EVERY <= now) {
            self.cleaned_at = Some(now);
            self.full_again_at.retain(|_, full_again_at| *full_again_at > now);
        }
        self.full_again_at.len() < PER_SHARD
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
            other => panic!("it was not limited: {other:?}"),
        }
    }

    #[test]
    fn rates_are_read() {
        assert_eq!(limit("50/s:500"), RateLimit::default());
        assert_eq!(limit("7/s"), limit("7/s:7"));
        for bad in ["", "50", "0/s", "50/s:0", "50/s:", "50/m", "-1/s", "50/s:x", "/s", "50/s500", "4294967296/s"] {
            assert_eq!(bad.parse::<RateLimit>(), Err(InvalidRate), "{bad}");
        }
    }

    #[test]
    fn a_burst_is_used_up_and_comes_back_at_the_rate() {
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
        assert_eq!((0..10).filter(|_| table.count(1, much_later).is_ok()).count(), 3, "more came back than a burst");
    }

    #[test]
    fn refusals_use_nothing_up() {
        let (table, start) = (Table::new(limit("1/s:1")), Instant::now());
        table.count(1, start).unwrap();
        for _ in 0..1_000 {
            table.count(1, start).unwrap_err();
        }
        table.count(1, start + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_million_addresses_take_bounded_room_and_hide_nobody() {
        let (table, start) = (Table::new(limit("1/s:2")), Instant::now());
        let known = u32::MAX;
        table.count(known, start).unwrap();
        table.count(known, start).unwrap();
        let let_in = (0..1_000_000).filter(|address| table.count(*address, start).is_ok()).count();
        let held: usize = table.shards.iter().map(|shard| shard.lock().unwrap().full_again_at.len()).sum();
        assert_eq!((held, let_in), (SHARDS * PER_SHARD, SHARDS * PER_SHARD - 1));
        table.count(known, start).unwrap_err();
        // They are forgotten when nothing is missing to them, and not before.
        table.count(2_000_000, start + Duration::from_millis(900)).unwrap_err();
        table.count(2_000_000, start + Duration::from_millis(1_100)).unwrap();
        table.count(known, start + Duration::from_millis(1_100)).unwrap();
        table.count(known, start + Duration::from_millis(1_100)).unwrap_err();
    }
}
