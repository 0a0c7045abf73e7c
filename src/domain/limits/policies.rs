//! Policies of the limiters: maximum, window and capacity of each, and the handling of a full table.
//!
//! The rate limit of requests is not included: the operator sets its numbers, and the server has its table.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::table::{EarlierClock, TablePolicy, WhenFull};
use super::window::WindowPolicy;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// A UTC day.
const DAY: Duration = Duration::from_hours(24);

/// Wrong access proofs per transfer and network: 10 per hour.
pub(crate) const WRONG_PROOFS: WindowPolicy = WindowPolicy { max: 10, table: guesses_per(HOUR) };

/// Wrong admin keys per network: 10 per minute.
pub(crate) const WRONG_ADMIN_KEYS: WindowPolicy = WindowPolicy { max: 10, table: guesses_per(MINUTE) };

/// Table of failed attempts: 262 144 keys with a failure per window.
///
/// Evicting a key, or starting a window over, would give further guesses at a secret.
const fn guesses_per(window: Duration) -> TablePolicy {
    const CAPACITY: NonZeroUsize = NonZeroUsize::new(262_144).unwrap();
    TablePolicy {
        window,
        capacity: CAPACITY,
        when_full: WhenFull::RejectNewKeys,
        earlier_clock: EarlierClock::CountsInCurrentWindow,
    }
}

/// New downloads of an unlimited transfer from one network: 1 000 per hour, since each download leaves records for
/// months. The table has 65 536 pairs of transfer and network.
pub(crate) const NEW_DOWNLOADS: WindowPolicy = WindowPolicy {
    max: 1_000,
    table: TablePolicy {
        // A request that read the clock before the hour ended must not reset the counts of other clients.
        earlier_clock: EarlierClock::KeyStartsOver,
        ..evicting(HOUR, NonZeroUsize::new(65_536).unwrap())
    },
};

/// Maximum number of client events per transfer, in all.
pub(crate) const MAX_EVENTS_PER_TRANSFER: u32 = 1_000;
/// Maximum number of client events per transfer and UTC day from one grant, or from one network without a grant.
pub(crate) const MAX_EVENTS_PER_CLIENT: u32 = 20;
/// Maximum number of client events per transfer and UTC day from one network, across all its grants.
pub(crate) const MAX_EVENTS_PER_NETWORK: u32 = 200;
/// Table of client events: 4 096 transfers per UTC day.
///
/// The total of an evicted transfer is read again from the store; only its per-client counts restart at 0.
pub(crate) const EVENT_TABLE: TablePolicy = evicting(DAY, NonZeroUsize::new(4_096).unwrap());

/// Maximum recorded reads of one transfer, per process and UTC day.
pub(crate) const MAX_RECORDED_READS: u32 = 10_000;
/// Maximum recorded rejected or failed requests for one transfer, per process and UTC day.
pub(crate) const MAX_RECORDED_REJECTIONS: u32 = 1_000;
/// Table of audit budgets: 32 768 transfers per UTC day.
///
/// An evicted transfer starts with a fresh budget. Forcing an eviction takes requests for 32 768 other transfers, which
/// causes more records than the evicted budget had suppressed.
pub(crate) const AUDIT_TABLE: TablePolicy = evicting(DAY, NonZeroUsize::new(32_768).unwrap());
/// Recorded requests that belong to no transfer: 10 000 of each of the 4 kinds, per process and UTC day.
pub(crate) const SERVICE_RECORDS: WindowPolicy =
    WindowPolicy { max: 10_000, table: evicting(DAY, NonZeroUsize::new(4).unwrap()) };

/// Table that evicts the least recently used key, and starts over at every change of the window.
const fn evicting(window: Duration, capacity: NonZeroUsize) -> TablePolicy {
    TablePolicy {
        window,
        capacity,
        when_full: WhenFull::EvictLeastRecentlyUsed,
        earlier_clock: EarlierClock::StartsOver,
    }
}

/// Maximum number of concurrent uploads per sender token: half of a store's limit, so that no sender uses the whole
/// limit.
pub(crate) const MAX_UPLOADS_PER_TOKEN: usize = 32;

/// One network may hold a quarter of a listener's connections.
pub(crate) const NETWORK_SHARE_DIVISOR: usize = 4;

/// Maximum number of in-flight requests per connection.
pub(crate) const MAX_REQUESTS_PER_CONNECTION: u32 = 32;

/// Total size of buffered responses, in bytes: 64 MiB, enough for about 300 list pages of 1 000 records.
pub(crate) const RESPONSE_BUDGET_BYTES: usize = 64 * 1024 * 1024;
