//! Response of `GET /stats/overview`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::notification::TargetOverview;
use crate::domain::stats::TransferCounts;
use crate::domain::timestamp::{Day, Timestamp};

/// Statistics of a service: current contents and recent activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsOverview {
    /// Transfers by status, as of the last sweep.
    pub transfers: TransferCounts,
    /// Total encrypted size of completed transfers in the store, in bytes.
    pub bytes_stored: u64,
    /// Total number of counted downloads.
    pub downloads: u64,
    /// Tokens by status.
    pub tokens: TokenCounts,
    /// Free space of the store, as measured in the last second.
    pub storage: StorageSpace,
    /// The last 30 days, oldest first.
    pub days: Vec<DayOverview>,
    /// Time at which the statistics were computed.
    pub as_of: Timestamp,
    /// Address of a proxy that this process does not know; absent if no request came through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted_proxy: Option<String>,
    /// Targets of notifications whose deliveries fail, at most 100, those that fail longest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing_targets: Vec<TargetOverview>,
}

/// Tokens by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenCounts {
    /// Usable tokens.
    pub active: u64,
    /// Revoked tokens.
    pub revoked: u64,
    /// Expired tokens.
    pub expired: u64,
    /// Whether there are more tokens than were counted so far; absent if all were counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

/// Free space of a store. Sizes are absent for a store without a known limit, such as a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StorageSpace {
    /// Free space, compared with the minimum that uploads must leave.
    pub level: FreeSpaceLevel,
    /// Free space in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Disk size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Free space that uploads must leave, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_free_bytes: Option<u64>,
    /// Allocated reserve for deletions on a full disk, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_bytes: Option<u64>,
    /// Size of the whole reserve, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_target_bytes: Option<u64>,
}

/// Activity of one UTC day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayOverview {
    /// UTC day.
    pub day: Day,
    /// Number of transfers created.
    pub created: u64,
    /// Number of uploads completed.
    pub completed: u64,
    /// Number of counted downloads.
    pub downloads: u64,
    /// Total encrypted size of completed uploads, in bytes.
    pub bytes: u64,
}
