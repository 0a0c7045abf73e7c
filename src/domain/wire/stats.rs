//! `GET /stats/overview`

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::stats::TransferCounts;
use crate::domain::timestamp::{Day, Timestamp};

/// What the service holds and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsOverview {
    /// Transfers by status, as of the last sweep.
    pub transfers: TransferCounts,
    /// Payload bytes of completed transfers in the store.
    pub bytes_stored: u64,
    /// Downloads counted ever.
    pub downloads: u64,
    /// Tokens by status.
    pub tokens: TokenCounts,
    /// The last 30 days, oldest first.
    pub days: Vec<DayOverview>,
    /// When this was added up.
    pub as_of: Timestamp,
}

/// Tokens by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenCounts {
    /// Can be used.
    pub active: u64,
    /// Were revoked.
    pub revoked: u64,
    /// Their time is over.
    pub expired: u64,
}

/// What one day added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayOverview {
    /// The UTC day.
    pub day: Day,
    /// Transfers created.
    pub created: u64,
    /// Transfers completed.
    pub completed: u64,
    /// Downloads counted.
    pub downloads: u64,
    /// Payload bytes completed.
    pub bytes: u64,
}
