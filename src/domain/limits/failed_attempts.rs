//! Limit on failed attempts to guess a secret, per key and time window.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::table::TablePolicy;
use super::window::{Window, WindowPolicy};
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;

/// Maximum keys with a failed attempt per window.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(262_144).unwrap();

/// Wrong access proofs per transfer and network: 10 per hour.
pub(crate) const WRONG_PROOFS: WindowPolicy =
    WindowPolicy { max: 10, table: TablePolicy::rejecting(Duration::from_hours(1), CAPACITY) };

/// Wrong admin keys per network: 10 per minute.
pub(crate) const WRONG_ADMIN_KEYS: WindowPolicy =
    WindowPolicy { max: 10, table: TablePolicy::rejecting(Duration::from_mins(1), CAPACITY) };

/// Outcome of checking a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The secret is correct.
    Correct,
    /// The secret is wrong: a failed attempt.
    Wrong,
    /// The request contains no usable secret; not counted as an attempt.
    Missing,
}

/// Counts failed attempts per key in consecutive time windows, within this process.
pub(crate) struct FailedAttempts<K: Eq + Hash>(Window<K>);

impl<K: Eq + Hash> FailedAttempts<K> {
    /// Creates a limit without failed attempts.
    pub(crate) fn new(policy: WindowPolicy) -> Self {
        Self(Window::new(policy))
    }

    /// Runs `verify` and counts its failure, unless `key` has reached the limit.
    ///
    /// `verify` runs under the lock, so concurrent requests can't exceed the limit.
    ///
    /// # Errors
    /// [`Error::RateLimited`] until the window ends. `verify` is not called then, so the response reveals nothing.
    pub(crate) fn check(&self, key: K, now: Timestamp, verify: impl FnOnce() -> Attempt) -> Result<Attempt, Error> {
        self.0.count_if(key, now, verify, |attempt| *attempt == Attempt::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_KEYS: usize = 262_144;
    const TEN_A_MINUTE: WindowPolicy =
        WindowPolicy { max: 10, table: TablePolicy::rejecting(Duration::from_mins(1), CAPACITY) };
    const ONCE_A_MINUTE: WindowPolicy = WindowPolicy { max: 1, ..TEN_A_MINUTE };
    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn guess<K: Eq + Hash>(attempts: &FailedAttempts<K>, key: K, now: Timestamp) -> Result<Attempt, Error> {
        attempts.check(key, now, || Attempt::Wrong)
    }

    #[test]
    fn after_ten_failures_nothing_is_verified_until_the_window_ends() {
        let attempts = FailedAttempts::new(TEN_A_MINUTE);
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
        let attempts = FailedAttempts::new(ONCE_A_MINUTE);
        for attempt in [Attempt::Correct, Attempt::Missing, Attempt::Correct, Attempt::Wrong] {
            assert_eq!(attempts.check(1, NOW, || attempt).unwrap(), attempt);
        }
        guess(&attempts, 1, NOW).unwrap_err();
    }

    #[test]
    fn a_request_with_an_earlier_clock_resets_no_window() {
        let attempts = FailedAttempts::new(ONCE_A_MINUTE);
        let before = Timestamp::from_millis(59_999);
        let after = Timestamp::from_millis(60_000);
        guess(&attempts, 1, after).unwrap();
        guess(&attempts, 2, before).unwrap();
        guess(&attempts, 1, after).unwrap_err();
        guess(&attempts, 2, after).unwrap_err();
    }

    #[test]
    fn a_full_table_rejects_new_keys_and_evicts_none() {
        let attempts = FailedAttempts::new(ONCE_A_MINUTE);
        for key in 0..MAX_KEYS {
            guess(&attempts, key, NOW).unwrap();
        }
        guess(&attempts, MAX_KEYS, NOW).unwrap_err();
        guess(&attempts, 0, NOW).unwrap_err();
        guess(&attempts, MAX_KEYS, NOW.plus(Duration::from_mins(1))).unwrap();
    }
}
