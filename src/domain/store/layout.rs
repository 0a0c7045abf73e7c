//! Version of a store's layout, and the upgrade of older layouts.
//!
//! | Version | Difference from the version before |
//! |---|---|
//! | 1 | the first one |
//! | 2 | the header has a `store_id` and always names both retentions; a transfer can be deleted as `payload_lost` |
//! | 3 | an index of transfers; use of tokens without limits; further links, under `links/`; `links_closed` deletions; notifications, under `notifications/`, `outbox/` and `targets/` |
//! | 4 | payloads have ids of their own, under `payloads/` in buckets, and an index of their transfers, under `by-payload/`; a transfer can have keys for recipients and a signature; requests: tokens with an owner, and transfers of guests |
//!
//! Each record has a format version of its own, [`V1`](crate::domain::version::V1).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::StoreError;

/// Version of the layout of a store, as in the member `v` of `store.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LayoutVersion(u32);

/// The part of a header that every version has.
#[derive(Deserialize)]
struct AnyHeader {
    v: LayoutVersion,
}

impl LayoutVersion {
    /// The version that this program creates, and the newest that it can use.
    pub const CURRENT: Self = Self(4);

    /// Returns the version with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number of the version.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Reads the version in a stored header or marker; `None` if it has none.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice::<AnyHeader>(stored).ok().map(|header| header.v)
    }

    /// Checks that this program knows the version.
    ///
    /// # Errors
    /// [`StoreError::NewerLayout`].
    pub(crate) fn check_supported(self) -> Result<(), StoreError> {
        if self <= Self::CURRENT { Ok(()) } else { Err(StoreError::NewerLayout { found: self }) }
    }

    /// Checks that this program knows the version in a stored header or marker. Accepts one without a version.
    ///
    /// # Errors
    /// [`StoreError::NewerLayout`].
    pub(crate) fn check_stored(stored: &[u8]) -> Result<(), StoreError> {
        Self::read(stored).map_or(Ok(()), Self::check_supported)
    }
}

impl fmt::Display for LayoutVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_newer_versions_are_rejected() {
        for (stored, is_newer) in [
            (r#"{"v":1,"retain_audit_s":1}"#, false),
            (r#"{"v":2}"#, false),
            (r#"{"v":3}"#, false),
            (r#"{"v":4}"#, false),
            (r#"{"v":5,"other":{}}"#, true),
            (r#"{"v":4294967295}"#, true),
            ("{", false),
            ("{}", false),
        ] {
            let checked = LayoutVersion::check_stored(stored.as_bytes());
            assert_eq!(matches!(checked, Err(StoreError::NewerLayout { .. })), is_newer, "{stored}");
        }
    }
}
