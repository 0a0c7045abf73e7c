//! Schedule of certificates: the time of the renewal, and of the retry of a failed order.

use std::time::{Duration, Instant};

use crate::domain::crypto::certificate::Validity;
use crate::domain::timestamp::Timestamp;

/// Delays after the first failed orders. Let's Encrypt accepts 5 failed validations of a domain per hour.
const DELAYS: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(4),
    Duration::from_mins(16),
    Duration::from_hours(1),
    Duration::from_hours(4),
];
/// Maximum `Retry-After` of an ACME server that is honoured.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// Minimum time from an issued certificate to the next order of the same process.
const MIN_ORDER_INTERVAL: Duration = Duration::from_hours(1);

/// Returns when a certificate is due for renewal: when two thirds of its lifetime are over.
pub(super) fn renewal_at(validity: &Validity) -> Timestamp {
    validity.starts_at.plus(validity.lifetime() / 3 * 2)
}

/// Orders of this process so far, which delay the next one.
#[derive(Debug, Default)]
pub(super) struct OrderHistory {
    /// Orders that have failed since the last success.
    failures: u32,
    not_before: Option<Instant>,
}

impl OrderHistory {
    /// Returns whether an order is allowed now.
    pub(super) fn allows_order(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|earliest| earliest <= now)
    }

    /// Allows an order now, after the operator has asked for it.
    pub(super) fn allow_now(&mut self) {
        self.not_before = None;
    }

    /// Notes a failed order; returns the delay of the next one.
    pub(super) fn failed(&mut self, now: Instant, retry_after: Option<Duration>) -> Duration {
        let index = usize::try_from(self.failures).unwrap_or(usize::MAX).min(DELAYS.len() - 1);
        let delay = DELAYS[index].max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + delay);
        delay
    }

    /// Notes an issued certificate of this lifetime.
    ///
    /// The next order waits although it seems due: if two processes with different domains share a cache, each replaces
    /// the certificate of the other.
    pub(super) fn succeeded(&mut self, now: Instant, lifetime: Duration) {
        self.failures = 0;
        self.not_before = Some(now + MIN_ORDER_INTERVAL.min(lifetime / 10));
    }

    /// Returns the number of orders that have failed since the last success.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_renewed_after_two_thirds_of_their_lifetime() {
        let hours = |hours: u64| Timestamp::from_millis(0).plus(Duration::from_hours(hours));
        let validity = |lifetime: u64| Validity { starts_at: hours(1_000), ends_at: hours(1_000 + lifetime) };
        assert_eq!(renewal_at(&validity(90 * 24)), hours(1_000 + 60 * 24));
        assert_eq!(renewal_at(&validity(6 * 24)), hours(1_000 + 4 * 24));
    }

    #[test]
    fn failed_orders_are_retried_within_the_limits_of_an_acme_server() {
        let (mut orders, start) = (OrderHistory::default(), Instant::now());
        assert!(orders.allows_order(start));
        let mut at = start;
        let mut attempts = vec![start];
        while attempts.len() < 30 {
            let delay = orders.failed(at, None);
            let just_before = at + delay.saturating_sub(Duration::from_millis(1));
            at += delay;
            assert!(!orders.allows_order(just_before) && orders.allows_order(at));
            attempts.push(at);
        }
        let hour = Duration::from_hours(1);
        let most = attempts.iter().map(|from| attempts.iter().filter(|at| (*from..*from + hour).contains(*at)).count());
        assert_eq!(most.max(), Some(4));
        assert_eq!(orders.failed(at, None), Duration::from_hours(4));
        assert_eq!(orders.failures(), 30);
    }

    #[test]
    fn the_delay_of_an_acme_server_counts_unless_it_is_shorter_or_absurd() {
        let now = Instant::now();
        let first = |retry_after| OrderHistory::default().failed(now, Some(retry_after));
        assert_eq!(first(Duration::from_secs(5)), Duration::from_mins(1));
        assert_eq!(first(Duration::from_hours(3)), Duration::from_hours(3));
        assert_eq!(first(Duration::from_hours(24 * 365)), Duration::from_hours(24));
    }

    #[test]
    fn a_request_of_the_operator_and_a_success_end_the_backoff() {
        let now = Instant::now();
        let mut orders = OrderHistory::default();
        orders.failed(now, None);
        orders.failed(now, None);
        orders.allow_now();
        assert!(orders.allows_order(now));
        assert_eq!(orders.failed(now, None), Duration::from_mins(16));
        orders.succeeded(now, Duration::from_hours(24 * 90));
        assert!(!orders.allows_order(now) && orders.allows_order(now + Duration::from_hours(1)));
        assert_eq!((orders.failures(), orders.failed(now, None)), (0, Duration::from_mins(1)));
    }
}
