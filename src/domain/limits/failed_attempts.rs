//! Limit on failed attempts to guess a secret, per key and time window.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;

/// Maximum number of keys with failed attempts in one time window. While the table is full, other keys are rejected.
const MAX_KEYS: usize = 262_144;

/// Outcome of checking a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The secret is correct.
    Correct,
    /// The secret is wrong: a failed attempt.
    Wrong,
    /// The request contains no usable secret; not counted as an attempt.
    Missing,
}

/// Counts failed attempts per key in consecutive time windows, within this process.
#[derive(Debug)]
pub struct FailedAttempts<K> {
    max_failures: u32,
    window: Duration,
    counts: Mutex<Window<K>>,
}

#[derive(Debug)]
struct Window<K> {
    number: u64,
    failures: HashMap<K, u32>,
}

impl<K: Eq + Hash> FailedAttempts<K> {
    /// Allows each key `max_failures` failed attempts per `window`.
    ///
    /// # Panics
    /// [`FailedAttempts::check`] panics if `window` is shorter than one millisecond.
    #[must_use]
    pub fn new(max_failures: u32, window: Duration) -> Self {
        Self { max_failures, window, counts: Mutex::new(Window { number: 0, failures: HashMap::new() }) }
    }

    /// Runs `verify` and counts its failure, unless `key` has reached the limit.
    ///
    /// `verify` runs under the lock, so concurrent requests can't exceed the limit.
    ///
    /// # Errors
    /// [`Error::RateLimited`] until the window ends. `verify` is not called then, so the response reveals nothing.
    pub fn check(&self, key: K, now: Timestamp, verify: impl FnOnce() -> Attempt) -> Result<Attempt, Error> {
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        let number = now.as_millis() / window;
        let mut counts = self.counts.lock().expect("`verify` does not panic");
        // A request that read the clock just before a window ended counts in the following window.
        if number != counts.number && number + 1 != counts.number {
            *counts = Window { number, failures: HashMap::new() };
        }
        let failures = counts.failures.get(&key).copied();
        let full = failures.is_none() && counts.failures.len() >= MAX_KEYS;
        if full || failures.is_some_and(|failures| failures >= self.max_failures) {
            let retry_after = Duration::from_millis((number + 1) * window - now.as_millis());
            return Err(Error::RateLimited { retry_after });
        }
        let attempt = verify();
        if attempt == Attempt::Wrong {
            *counts.failures.entry(key).or_default() += 1;
        }
        Ok(attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn guess<K: Eq + Hash>(attempts: &FailedAttempts<K>, key: K, now: Timestamp) -> Result<Attempt, Error> {
        attempts.check(key, now, || Attempt::Wrong)
    }

    #[test]
    fn after_ten_failures_nothing_is_verified_until_the_window_ends() {
        let attempts = FailedAttempts::new(10, Duration::from_mins(1));
        for _ in 0..10 {
            guess(&attempts, 1, NOW).unwrap();
        }
        let error = attempts.check(1, NOW, || panic!("`verify` was called at the limit")).unwrap_err();
        assert!(matches!(error, Error::RateLimited { retry_after } if retry_after == Duration::from_secs(20)));
        guess(&attempts, 2, NOW).unwrap();
        guess(&attempts, 1, NOW.plus(Duration::from_secs(20))).unwrap();
    }

    #[test]
    fn only_wrong_secrets_count() {
        let attempts = FailedAttempts::new(1, Duration::from_mins(1));
        for attempt in [Attempt::Correct, Attempt::Missing, Attempt::Correct, Attempt::Wrong] {
            assert_eq!(attempts.check(1, NOW, || attempt).unwrap(), attempt);
        }
        guess(&attempts, 1, NOW).unwrap_err();
    }

    #[test]
    fn a_request_with_an_earlier_clock_resets_no_window() {
        let attempts = FailedAttempts::new(1, Duration::from_mins(1));
        let before = Timestamp::from_millis(59_999);
        let after = Timestamp::from_millis(60_000);
        guess(&attempts, 1, after).unwrap();
        guess(&attempts, 2, before).unwrap();
        guess(&attempts, 1, after).unwrap_err();
        guess(&attempts, 2, after).unwrap_err();
    }

    #[test]
    fn a_full_table_rejects_new_keys_and_evicts_none() {
        let attempts = FailedAttempts::new(1, Duration::from_mins(1));
        for key in 0..MAX_KEYS {
            guess(&attempts, key, NOW).unwrap();
        }
        guess(&attempts, MAX_KEYS, NOW).unwrap_err();
        guess(&attempts, 0, NOW).unwrap_err();
        guess(&attempts, MAX_KEYS, NOW.plus(Duration::from_mins(1))).unwrap();
    }
}
