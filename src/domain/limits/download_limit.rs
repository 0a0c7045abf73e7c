//! Limits on downloads: the highest limit of a transfer, and new downloads of unlimited transfers.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::LimitName;
use super::table::TablePolicy;
use super::window::WindowPolicy;

/// Highest download limit of a transfer; use an unlimited transfer for more downloads.
pub const MAX_DOWNLOADS: u32 = 1_000;

/// New downloads of an unlimited transfer from one network: 1 000 per hour. Each download leaves records for months.
/// The table has 65 536 pairs of transfer and network.
pub(crate) const NEW_DOWNLOADS: WindowPolicy = WindowPolicy {
    limit: LimitName::NewDownloads,
    max: 1_000,
    table: TablePolicy::new(Duration::from_hours(1), NonZeroUsize::new(65_536).unwrap()),
};
