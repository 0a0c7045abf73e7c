//! Limits of a service: sizes, lifetimes and download counts, and the limiters of a process.
//!
//! Two limiters are generic: `Window` counts events per key and time window, `Concurrency` limits simultaneous uses per
//! key. `policies` defines the maximum, unit and eviction of each limit.
//!
//! Other limits don't fit these two: client events and audit budgets keep several counts per transfer in one `Table`;
//! requests per connection and the bytes of buffered responses have no key and use a semaphore; the rate limit of
//! requests keeps a time per key instead of a count, and its entries expire independently of windows.

pub(crate) mod concurrency;
pub(super) mod event_limit;
pub(crate) mod failed_attempts;
pub mod free_space;
pub(super) mod keyed_mutex;
pub(crate) mod policies;
pub(super) mod table;
pub(crate) mod window;

use std::time::Duration;

use crate::domain::crypto::envelope::MAX_ENVELOPE_BYTES;
use crate::domain::crypto::sealed::sealed_size;

/// Default limit of the content size: 100 MiB.
pub const DEFAULT_MAX_CONTENT_BYTES: u64 = 100 * 1024 * 1024;

/// Highest configurable limit of the content size: 625 GiB, the total of 10 000 upload parts of 64 MiB.
pub const LARGEST_MAX_CONTENT_BYTES: u64 = 625 * 1024 * 1024 * 1024;

/// Minimum lifetime of a transfer: 1 minute.
pub const MIN_LIFETIME: Duration = Duration::from_mins(1);
/// Default lifetime of a transfer: 7 days.
pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// Maximum lifetime of a transfer: 90 days.
pub const MAX_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// Highest download limit of a transfer; use an unlimited transfer for more downloads.
pub const MAX_DOWNLOADS: u32 = 1_000;

/// Maximum size of a JSON request body in bytes.
pub const MAX_JSON_BYTES: usize = 64 * 1024;

/// Limits configurable by the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    max_content_bytes: u64,
}

impl Limits {
    /// Creates limits with this maximum content size in bytes.
    ///
    /// Returns `None` for 0 and for sizes over [`LARGEST_MAX_CONTENT_BYTES`].
    #[must_use]
    pub fn with_max_content(max_content_bytes: u64) -> Option<Self> {
        (1..=LARGEST_MAX_CONTENT_BYTES).contains(&max_content_bytes).then_some(Self { max_content_bytes })
    }

    /// Returns the maximum content size of a transfer in bytes.
    #[must_use]
    pub const fn max_content_bytes(self) -> u64 {
        self.max_content_bytes
    }

    /// Returns the maximum encrypted size of a transfer in bytes: maximum content and envelope, sealed.
    #[must_use]
    pub const fn max_payload_bytes(self) -> u64 {
        sealed_size(self.max_content_bytes + MAX_ENVELOPE_BYTES as u64)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_content_bytes: DEFAULT_MAX_CONTENT_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_payload_limit_is_the_documented_one() {
        assert_eq!(Limits::default().max_payload_bytes(), 104_924_803);
    }

    #[test]
    fn content_limits_outside_the_valid_range_are_rejected() {
        assert!(Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES).is_some());
        assert!(Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES + 1).is_none());
        assert!(Limits::with_max_content(0).is_none());
    }
}
