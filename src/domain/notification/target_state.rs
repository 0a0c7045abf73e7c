//! State of a target: its lease, its failures and its counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NotificationTarget;
use crate::domain::crypto::random;
use crate::domain::id::{TargetId, TokenId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Period for which one server delivers to a target without renewing its lease.
pub(super) const LEASE: Duration = Duration::from_mins(1);
/// Period within a lease in which deliveries may begin: one and its removal end before the lease does.
pub(super) const LEASE_USE: Duration = Duration::from_secs(35);
/// Delay after the first failed attempts; doubled by each further failure.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// Maximum delay between two attempts.
///
/// Half an hour, so that a receiver that returns gets its notifications soon.
const MAX_RETRY: Duration = Duration::from_mins(30);

/// Transfers whose notifications a target receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TargetScope {
    /// Those of all transfers.
    Service,
    /// Those of the transfers of a token.
    Token(TokenId),
}

/// Right of one server to work on a queue, until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QueueLease {
    /// Random name of the process.
    pub(super) holder: String,
    /// End of the lease.
    pub(super) until: Timestamp,
}

/// `targets/dispatcher.json`: lease of the server that distributes new notifications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DispatcherState {
    /// Version of the record format.
    pub(super) v: V1,
    /// Lease of the dispatcher.
    pub(super) lease: Option<QueueLease>,
}

/// Cause of failed deliveries, without details that could contain a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The host name has no address.
    NameNotResolved,
    /// The host has only addresses that this server refuses, such as those of metadata services.
    AddressRefused,
    /// The connection or its encryption failed.
    NotReachable,
    /// The receiver did not respond in time.
    Timeout,
    /// The receiver responded with a redirect, which is not followed.
    Redirect,
    /// The receiver responded with an error of its own, or the mail server with a temporary one.
    ReceiverError,
    /// The receiver rejected the notification, or the mail server the recipient.
    Rejected,
    /// This server cannot send to the target, for example because it has no mail server.
    NotConfigured,
}

impl FailureReason {
    /// Returns the cause as text for operators.
    #[must_use]
    pub const fn as_text(self) -> &'static str {
        match self {
            Self::NameNotResolved => "the host name cannot be resolved",
            Self::AddressRefused => "the address is refused: private, special, or public without https",
            Self::NotReachable => "the connection fails",
            Self::Timeout => "no response in time",
            Self::Redirect => "a redirect, which is not followed",
            Self::ReceiverError => "the receiver reports an error",
            Self::Rejected => "the receiver rejects notifications",
            Self::NotConfigured => "this server cannot send to it",
        }
    }
}

/// Failing deliveries of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failing {
    /// Time of the first failure since the last delivery.
    pub(super) since: Timestamp,
    /// Number of rounds without a delivery since.
    pub(super) rounds: u32,
    /// Cause of the last failure.
    pub(super) reason: FailureReason,
    /// Time before which nothing is tried.
    pub(super) retry_at: Timestamp,
}

/// `targets/{target_id}.json`: stored state of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetState {
    /// Version of the record format.
    pub(super) v: V1,
    /// The target.
    pub(super) target: NotificationTarget,
    /// Transfers whose notifications the target receives.
    pub(super) scope: TargetScope,
    /// Last time at which a server had the target in its settings, or distributed to it.
    pub(super) seen_at: Timestamp,
    /// Lease of the server that delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<QueueLease>,
    /// Failures since the last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failing: Option<Failing>,
    /// Time of the last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delivered_at: Option<Timestamp>,
    /// Number of deliveries.
    pub(super) delivered: u64,
    /// Number of dropped notifications: too old, or too many.
    pub(super) dropped: u64,
}

impl QueueLease {
    /// Takes or renews a lease for `holder`; `false` if another server has it.
    pub(super) fn take(lease: &mut Option<Self>, holder: &str, now: Timestamp) -> bool {
        let is_free = lease.as_ref().is_none_or(|lease| lease.holder == holder || lease.until <= now);
        if is_free {
            *lease = Some(Self { holder: holder.to_owned(), until: now.plus(LEASE) });
        }
        is_free
    }

    /// Gives a lease of `holder` back.
    pub(super) fn release(lease: &mut Option<Self>, holder: &str) {
        lease.take_if(|lease| lease.holder == holder);
    }
}

impl TargetState {
    /// Creates the state of a new target.
    pub(super) const fn new(target: NotificationTarget, scope: TargetScope, now: Timestamp) -> Self {
        let (lease, failing, delivered_at) = (None, None, None);
        Self { v: V1, target, scope, seen_at: now, lease, failing, delivered_at, delivered: 0, dropped: 0 }
    }

    /// Returns the id of the target.
    pub(crate) const fn target_id(&self) -> TargetId {
        self.target.target_id
    }

    /// Records a round of deliveries.
    pub(super) fn record(&mut self, now: Timestamp, delivered: u64, failure: Option<FailureReason>) {
        self.delivered += delivered;
        if delivered > 0 {
            (self.failing, self.delivered_at) = (None, Some(now));
        } else if let Some(reason) = failure {
            let rounds = self.failing.as_ref().map_or(0, |failing| failing.rounds).saturating_add(1);
            let since = self.failing.as_ref().map_or(now, |failing| failing.since);
            self.failing = Some(Failing { since, rounds, reason, retry_at: now.plus(retry_delay(rounds)) });
        }
    }
}

/// Returns the delay after `failures` failures: half of it fixed, half of it random.
pub(super) fn retry_delay(failures: u32) -> Duration {
    let delay = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_RETRY);
    delay / 2 + random::part_of(delay / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_one_holder_until_it_ends() {
        let (start, mut lease) = (Timestamp::from_millis(0), None);
        assert!(QueueLease::take(&mut lease, "a", start));
        assert!(!QueueLease::take(&mut lease, "b", start));
        assert!(QueueLease::take(&mut lease, "a", start.plus(LEASE / 2)), "not renewed");
        assert!(!QueueLease::take(&mut lease, "b", start.plus(LEASE)));
        assert!(QueueLease::take(&mut lease, "b", start.plus(LEASE * 3 / 2)));
        QueueLease::release(&mut lease, "a");
        assert!(lease.is_some(), "another server's lease was released");
        QueueLease::release(&mut lease, "b");
        assert_eq!(lease, None);
    }

    #[test]
    fn delays_double_up_to_half_an_hour() {
        let seconds = Duration::from_secs;
        for (failures, delay) in [(1, 5), (2, 10), (5, 80), (9, 1_280), (10, 1_800), (u32::MAX, 1_800)] {
            for _ in 0..20 {
                let chosen = retry_delay(failures);
                assert!((seconds(delay) / 2..=seconds(delay)).contains(&chosen), "{failures}: {chosen:?}");
            }
        }
    }
}
