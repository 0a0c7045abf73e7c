//! Grants: records of counted downloads.

use serde::{Deserialize, Serialize};

use crate::domain::crypto::digest::Sha256;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Record of one counted download.
///
/// The client presents the grant to resume the download without another count. Only its hash is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecord {
    /// Version of the record format.
    pub v: V1,
    /// SHA-256 of the grant.
    pub sha256: Sha256,
    /// Time of counting the download.
    pub granted_at: Timestamp,
    /// Expiry time of the grant.
    pub expires_at: Timestamp,
}

/// Result of counting a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedDownload {
    /// Record of the grant.
    pub grant: GrantRecord,
    /// Whether the download limit is now reached.
    pub exhausted: bool,
}
