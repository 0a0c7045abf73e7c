//! Limit on failed attempts to guess a secret, per key and time window.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::LimitName;
use super::network_table::OfNetwork;
use super::table::TablePolicy;
use super::window::{Window, WindowPolicy};
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;

/// Maximum keys with a failed attempt per window.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Wrong access proofs per transfer and network: 10 per hour.
pub(crate) const WRONG_PROOFS: WindowPolicy =
    WindowPolicy { limit: LimitName::WrongProofs, max: 10, table: TablePolicy::new(Duration::from_hours(1), CAPACITY) };

/// Wrong admin keys per network: 10 per minute.
pub(crate) const WRONG_ADMIN_KEYS: WindowPolicy =
    WindowPolicy { limit: LimitName::WrongKeys, max: 10, table: TablePolicy::new(Duration::from_mins(1), CAPACITY) };

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
#[derive(Debug)]
pub(crate) struct FailedAttempts<K>(Window<K>);

impl<K: OfNetwork> FailedAttempts<K> {
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
    use crate::domain::address::NetworkKey;
    use crate::domain::id::TransferId;

    const TEN_A_MINUTE: WindowPolicy = WRONG_ADMIN_KEYS;
    const ONCE_A_MINUTE: WindowPolicy = WindowPolicy { max: 1, ..TEN_A_MINUTE };
    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const ONE: NetworkKey = NetworkKey::of_test(1);
    const OTHER: NetworkKey = NetworkKey::of_test(2);

    fn guess<K: OfNetwork>(attempts: &FailedAttempts<K>, key: K, now: Timestamp) -> Result<Attempt, Error> {
        attempts.check(key, now, || Attempt::Wrong)
    }

    #[test]
    fn after_ten_failures_nothing_is_verified_until_the_window_ends() {
        let attempts = FailedAttempts::new(TEN_A_MINUTE);
        for _ in 0..10 {
            guess(&attempts, ONE, NOW).unwrap();
        }
        let error = attempts.check(ONE, NOW, || panic!("`verify` was called at the limit")).unwrap_err();
        assert!(matches!(error, Error::RateLimited { retry_after, .. } if retry_after == Duration::from_secs(20)));
        guess(&attempts, OTHER, NOW).unwrap();
        guess(&attempts, ONE, NOW.plus(Duration::from_secs(20))).unwrap();
    }

    #[test]
    fn only_wrong_secrets_count() {
        let attempts = FailedAttempts::new(ONCE_A_MINUTE);
        for attempt in [Attempt::Correct, Attempt::Missing, Attempt::Correct, Attempt::Wrong] {
            assert_eq!(attempts.check(ONE, NOW, || attempt).unwrap(), attempt);
        }
        guess(&attempts, ONE, NOW).unwrap_err();
    }

    #[test]
    fn a_request_with_an_earlier_clock_resets_no_window() {
        let attempts = FailedAttempts::new(ONCE_A_MINUTE);
        let before = Timestamp::from_millis(59_999);
        let after = Timestamp::from_millis(60_000);
        guess(&attempts, ONE, after).unwrap();
        guess(&attempts, OTHER, before).unwrap();
        guess(&attempts, ONE, after).unwrap_err();
        guess(&attempts, OTHER, after).unwrap_err();
    }

    #[test]
    fn a_flood_of_wrong_guesses_locks_no_other_network_out_and_lifts_no_limit_of_others() {
        let attempts = FailedAttempts::new(TEN_A_MINUTE);
        let (attacked, honest) = (TransferId::random(), NetworkKey::of_test(0));
        for _ in 0..10 {
            guess(&attempts, (attacked, honest), NOW).unwrap();
        }
        for number in 0..CAPACITY.get() + 10_000 {
            let network = NetworkKey::of_test(u8::try_from(number % 10).unwrap() + 1);
            guess(&attempts, (TransferId::random(), network), NOW).unwrap();
        }
        let right = attempts.check((TransferId::random(), OTHER), NOW, || Attempt::Correct);
        assert_eq!(right.unwrap(), Attempt::Correct, "a full table rejects correct secrets");
        guess(&attempts, (attacked, honest), NOW).unwrap_err();
    }
}
