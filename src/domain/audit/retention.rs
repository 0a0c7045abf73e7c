//! Retention of audit records: short for reads, long for changes.

use std::time::Duration;

/// Default retention of the records of changes, after the end of their transfer: 90 days.
const CHANGES: Duration = Duration::from_hours(24 * 90);
/// Default retention of the records of reads, after they were written: 30 days.
const READS: Duration = Duration::from_hours(24 * 30);

/// Class of an audit record, which decides its retention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordClass {
    /// A change of a transfer, a download of a limited transfer, or a request by an admin.
    #[default]
    Change,
    /// A record that a budget limits.
    ///
    /// Successful reads, rejected and failed requests, client events, downloads of unlimited transfers, and reports of
    /// skipped records.
    Read,
}

/// Retention periods of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    changes: Duration,
    reads: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self::new(CHANGES, None)
    }
}

impl Retention {
    /// Creates the periods for `changes`, after a transfer's end, and `reads`, after the write.
    ///
    /// Reads are kept for 30 days unless given, and never longer than changes.
    #[must_use]
    pub fn new(changes: Duration, reads: Option<Duration>) -> Self {
        Self { changes, reads: reads.unwrap_or(READS).min(changes) }
    }

    /// Returns the retention of the records of changes, after the end of their transfer.
    #[must_use]
    pub const fn changes(self) -> Duration {
        self.changes
    }

    /// Returns the retention of the records of reads, after they were written.
    #[must_use]
    pub const fn reads(self) -> Duration {
        self.reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_never_kept_longer_than_changes() {
        let day = Duration::from_hours(24);
        assert_eq!(Retention::default().reads(), day * 30);
        assert_eq!(Retention::new(day * 7, None).reads(), day * 7);
        assert_eq!(Retention::new(day * 7, Some(day * 8)).reads(), day * 7);
        assert_eq!(Retention::new(day * 7, Some(day)).reads(), day);
    }
}
