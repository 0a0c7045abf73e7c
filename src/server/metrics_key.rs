//! The read-only key for metrics.

use std::fmt;

use zeroize::Zeroizing;

use super::admin_key::strong;
use crate::domain::crypto::digest::Sha256;

/// Key that opens `/metrics` and nothing else.
///
/// Never printed, compared in constant time, zeroed on drop.
#[derive(Clone)]
pub struct MetricsKey(Zeroizing<String>);

/// The error for a metrics key that is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a metrics key needs at least 32 characters")]
pub struct WeakMetricsKey;

impl MetricsKey {
    /// Reads a key from configuration, without the white space around it.
    ///
    /// # Errors
    /// [`WeakMetricsKey`] if the key has fewer than 32 characters.
    pub fn new(text: &str) -> Result<Self, WeakMetricsKey> {
        strong(text).map(Self).ok_or(WeakMetricsKey)
    }

    /// Returns the key.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns whether `candidate` equals this key, compared in constant time.
    #[must_use]
    pub fn matches(&self, candidate: &str) -> bool {
        Sha256::of(self.0.as_bytes()).is_of(candidate.as_bytes())
    }
}

impl fmt::Debug for MetricsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsKey")
    }
}
