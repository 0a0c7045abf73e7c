//! Lifetimes of transfers.

use std::time::Duration;

/// Minimum lifetime of a transfer: 1 minute.
pub const MIN_LIFETIME: Duration = Duration::from_mins(1);
/// Default lifetime of a transfer: 7 days.
pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// Maximum lifetime of a transfer: 90 days.
pub const MAX_LIFETIME: Duration = Duration::from_hours(90 * 24);
