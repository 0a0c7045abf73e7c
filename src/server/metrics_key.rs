//! The read-only key for metrics.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::admin_key::strong;
use crate::domain::crypto::digest::Sha256;
use crate::domain::limits::failed_attempts::Attempt;

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

/// Checks the `Authorization: Bearer` header, as Prometheus sends it.
///
/// Without a configured key, no header opens anything.
pub(super) fn bearer_attempt(headers: &HeaderMap, key: Option<&MetricsKey>) -> Attempt {
    let Some(key) = key else { return Attempt::Missing };
    let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let bearer =
        header.and_then(|header| header.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match bearer {
        None => Attempt::Missing,
        Some((_, candidate)) if key.matches(candidate.trim()) => Attempt::Correct,
        Some(_) => Attempt::Wrong,
    }
}

impl fmt::Debug for MetricsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsKey")
    }
}
