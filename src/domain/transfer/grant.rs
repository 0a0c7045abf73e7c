//! Counted downloads.

use serde::{Deserialize, Serialize};

use crate::domain::digest::Sha256;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// One counted download: what its holder shows to go on with it. The grant itself is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecord {
    /// The version of this form.
    pub v: V1,
    /// SHA-256 of the grant.
    pub sha256: Sha256,
    /// When it was counted.
    pub granted_at: Timestamp,
    /// When it runs out.
    pub expires_at: Timestamp,
}

/// What a counted download changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The grant.
    pub grant: GrantRecord,
    /// Whether it was the last one.
    pub exhausted: bool,
}
