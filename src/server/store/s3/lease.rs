//! Leases, which exclude concurrent writers of a payload in a bucket.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::clock::{Clock, SystemClock};
use crate::domain::timestamp::Timestamp;

/// Lifetime of a lease without renewal.
const LEASE_DURATION: Duration = Duration::from_secs(30);
/// Time after which a writer renews its lease.
pub(super) const RENEW_INTERVAL: Duration = Duration::from_secs(10);

/// Lease on a payload, which excludes other writers until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) until: Timestamp,
    /// Whether the lease is for finishing the payload. Two finishers may run at once, two writers may not.
    pub(super) finishes: bool,
}

impl Lease {
    /// Creates a lease that starts now.
    pub(super) fn new(finishes: bool) -> Self {
        Self { until: SystemClock.now().plus(LEASE_DURATION), finishes }
    }

    /// Returns whether the lease has not expired.
    pub(super) fn is_valid(&self) -> bool {
        self.until > SystemClock.now()
    }
}
