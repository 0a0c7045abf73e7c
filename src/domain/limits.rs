//! What a service accepts: sizes, lifetimes, counts.

use std::time::Duration;

use super::envelope::MAX_ENVELOPE_BYTES;
use super::sealed::sealed_size;

/// The content limit unless the operator sets another: 100 MiB.
pub const DEFAULT_MAX_CONTENT_BYTES: u64 = 100 * 1024 * 1024;

/// The most that can be asked for as a content limit: what 10 000 parts of 64 MiB can carry.
pub const LARGEST_MAX_CONTENT_BYTES: u64 = 625 * 1024 * 1024 * 1024;

/// The shortest lifetime of a transfer.
pub const MIN_LIFETIME: Duration = Duration::from_mins(1);
/// The lifetime of a transfer whose sender names none.
pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// The longest lifetime of a transfer.
pub const MAX_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// The largest download limit; beyond it a transfer may as well be unlimited.
pub const MAX_DOWNLOADS: u32 = 1_000;

/// The largest JSON body of a request, in bytes.
pub const MAX_JSON_BYTES: usize = 64 * 1024;

/// The limits that an operator can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    max_content_bytes: u64,
}

impl Limits {
    /// Limits with `max_content_bytes` of content in a transfer, or `None` beyond [`LARGEST_MAX_CONTENT_BYTES`].
    #[must_use]
    pub fn with_max_content(max_content_bytes: u64) -> Option<Self> {
        (1..=LARGEST_MAX_CONTENT_BYTES).contains(&max_content_bytes).then_some(Self { max_content_bytes })
    }

    /// The most content that a client may send, in bytes.
    #[must_use]
    pub const fn max_content_bytes(self) -> u64 {
        self.max_content_bytes
    }

    /// The largest sealed payload, in bytes: that much content inside the largest envelope, sealed.
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
    fn limits_beyond_what_parts_can_carry_are_refused() {
        assert!(Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES).is_some());
        assert!(Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES + 1).is_none());
        assert!(Limits::with_max_content(0).is_none());
    }
}
