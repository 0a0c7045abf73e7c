//! Maximum content size of transfers.

use crate::domain::crypto::envelope::MAX_ENVELOPE_BYTES;
use crate::domain::crypto::padding::Padding;
use crate::domain::crypto::sealed::sealed_size;

/// Default limit of the content size: 100 MiB.
pub const DEFAULT_MAX_CONTENT_BYTES: u64 = 100 * 1024 * 1024;

/// Highest configurable limit of the content size: 625 GiB, the total of 10 000 upload parts of 64 MiB.
pub const LARGEST_MAX_CONTENT_BYTES: u64 = 625 * 1024 * 1024 * 1024;

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

    /// Returns the maximum encrypted size of a transfer in bytes.
    ///
    /// That of the largest content with the largest envelope, padded and sealed.
    #[must_use]
    pub const fn max_payload_bytes(self) -> u64 {
        sealed_size(Padding::Padme.padded_size(self.max_content_bytes + MAX_ENVELOPE_BYTES as u64))
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
        assert_eq!(Limits::default().max_payload_bytes(), 106_956_440);
    }

    #[test]
    fn content_limits_outside_the_valid_range_are_rejected() {
        assert!(Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES).is_some());
        assert!(Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES + 1).is_none());
        assert!(Limits::with_max_content(0).is_none());
    }
}
