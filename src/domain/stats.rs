//! Daily counters and running totals of transfers, downloads and bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::{StoreError, from_json};
use super::timestamp::Day;
use super::transfer::Status;
use super::version::V1;

/// Retention period of daily counters.
pub(super) const STATS_RETENTION: Duration = Duration::from_hours(24 * 400);

/// Change of the counters by one or more commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterDelta {
    /// UTC day of the change.
    pub day: Day,
    /// Number of transfers created.
    pub created: u64,
    /// Number of uploads completed.
    pub completed: u64,
    /// Number of downloads counted.
    pub downloads: u64,
    /// Encrypted bytes of the completed uploads.
    pub bytes: u64,
    /// Changes in the number of transfers per stored status.
    pub status_moves: StatusMoves,
    /// Encrypted bytes of removed payloads.
    pub bytes_removed: u64,
}

impl CounterDelta {
    /// Creates an empty change for `day`.
    #[must_use]
    pub const fn on(day: Day) -> Self {
        Self {
            day,
            created: 0,
            completed: 0,
            downloads: 0,
            bytes: 0,
            status_moves: StatusMoves::NONE,
            bytes_removed: 0,
        }
    }

    /// Adds the change of another commit; the result counts for the later of both days.
    pub fn merge(&mut self, other: &Self) {
        if other.day > self.day {
            self.day = other.day.clone();
        }
        self.created += other.created;
        self.completed += other.completed;
        self.downloads += other.downloads;
        self.bytes += other.bytes;
        self.status_moves = self.status_moves.plus(other.status_moves);
        self.bytes_removed += other.bytes_removed;
    }
}

/// Changes in the number of transfers per status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusMoves([i64; Status::ALL.len()]);

impl StatusMoves {
    /// No change.
    pub const NONE: Self = Self([0; Status::ALL.len()]);

    /// Counts the change of one transfer's stored status; `None` means that the transfer does not exist.
    #[must_use]
    pub fn one(from: Option<Status>, to: Option<Status>) -> Self {
        let step = |status| i64::from(to == Some(status)) - i64::from(from == Some(status));
        Self(Status::ALL.map(step))
    }

    fn plus(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] + other.0[at]))
    }
}

/// Number of transfers per status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferCounts {
    /// Created; the upload is not finished.
    pub pending: u64,
    /// Ready to download.
    pub completed: u64,
    /// Expired.
    pub expired: u64,
    /// Download limit reached.
    pub exhausted: u64,
    /// Deleted.
    pub deleted: u64,
}

/// Number of transfers per status, signed.
///
/// Several servers write their changes independently, so a count can be negative until another server writes its part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusSums {
    /// Number of transfers with the status `pending`.
    pub pending: i64,
    /// Number of transfers with the status `completed`.
    pub completed: i64,
    /// Number of transfers with the status `expired`.
    pub expired: i64,
    /// Number of transfers with the status `exhausted`.
    pub exhausted: i64,
    /// Number of transfers with the status `deleted`.
    pub deleted: i64,
}

impl StatusSums {
    /// Returns the count of one status.
    pub(super) fn of(&mut self, status: Status) -> &mut i64 {
        match status {
            Status::Pending => &mut self.pending,
            Status::Completed => &mut self.completed,
            Status::Expired => &mut self.expired,
            Status::Exhausted => &mut self.exhausted,
            // A transfer is never closed, only its links are.
            Status::Deleted | Status::Closed => &mut self.deleted,
        }
    }

    /// Returns the counts for output, with negative counts as 0.
    #[must_use]
    pub fn non_negative(mut self) -> TransferCounts {
        let mut count = |status| u64::try_from(*self.of(status)).unwrap_or(0);
        TransferCounts {
            pending: count(Status::Pending),
            completed: count(Status::Completed),
            expired: count(Status::Expired),
            exhausted: count(Status::Exhausted),
            deleted: count(Status::Deleted),
        }
    }
}

/// `stats/{day}.json`: one day's counters, and the totals at the end of that day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayStats {
    /// Version of the record format.
    pub v: V1,
    /// UTC day.
    pub day: Day,
    /// Number of transfers created on this day.
    pub created: u64,
    /// Number of uploads completed on this day.
    pub completed: u64,
    /// Number of downloads counted on this day.
    pub downloads: u64,
    /// Encrypted bytes of the uploads completed on this day.
    pub bytes: u64,
    /// Number of transfers in the store, per persisted status.
    pub transfers: StatusSums,
    /// Encrypted bytes of completed payloads in the store. The number is negative while only the removal of a payload
    /// is counted.
    pub bytes_stored: i64,
    /// Total number of downloads ever counted.
    pub downloads_ever: u64,
    /// Whether a later day has taken over the totals; a closed day receives no further changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

impl DayStats {
    /// Parses the counters stored at `key`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the format is unknown.
    pub fn parse(key: &str, stored: &[u8]) -> Result<Self, StoreError> {
        from_json(key, stored)
    }

    /// Applies `counter_delta` to the counters `latest` of the most recent day. Returns the resulting counters.
    ///
    /// A change for an earlier day than the most recent day, caused by a clock set back, counts for the most recent
    /// day.
    #[must_use]
    pub fn after(latest: Option<Self>, counter_delta: &CounterDelta) -> Self {
        let mut stats = match latest {
            Some(latest) if latest.day >= counter_delta.day => latest,
            Some(earlier) => Self {
                day: counter_delta.day.clone(),
                created: 0,
                completed: 0,
                downloads: 0,
                bytes: 0,
                closed: false,
                ..earlier
            },
            None => Self {
                v: V1,
                day: counter_delta.day.clone(),
                created: 0,
                completed: 0,
                downloads: 0,
                bytes: 0,
                transfers: StatusSums::default(),
                bytes_stored: 0,
                downloads_ever: 0,
                closed: false,
            },
        };
        stats.add(counter_delta);
        stats
    }

    fn add(&mut self, counter_delta: &CounterDelta) {
        self.created += counter_delta.created;
        self.completed += counter_delta.completed;
        self.downloads += counter_delta.downloads;
        self.downloads_ever += counter_delta.downloads;
        self.bytes += counter_delta.bytes;
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes_stored = self
            .bytes_stored
            .saturating_add(signed(counter_delta.bytes))
            .saturating_sub(signed(counter_delta.bytes_removed));
        for (status, change) in Status::ALL.into_iter().zip(counter_delta.status_moves.0) {
            let count = self.transfers.of(status);
            *count = count.saturating_add(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::from(text.to_owned())
    }

    #[test]
    fn totals_do_not_depend_on_the_order_of_writes() {
        let on = || CounterDelta::on(day("2026-01-01"));
        let created = CounterDelta { status_moves: StatusMoves::one(None, Some(Status::Pending)), ..on() };
        let completed = CounterDelta {
            bytes: 70,
            status_moves: StatusMoves::one(Some(Status::Pending), Some(Status::Completed)),
            ..on()
        };
        let removed =
            CounterDelta { bytes_removed: 70, status_moves: StatusMoves::one(Some(Status::Completed), None), ..on() };
        let late = [&removed, &completed, &created]
            .into_iter()
            .fold(None, |stats, counter_delta| Some(DayStats::after(stats, counter_delta)));
        let stats = late.unwrap();
        assert_eq!((stats.transfers, stats.bytes_stored), (StatusSums::default(), 0));
        let early = DayStats::after(None, &removed);
        assert_eq!(
            (early.bytes_stored, early.transfers.completed, early.transfers.non_negative().completed),
            (-70, -1, 0)
        );
    }

    #[test]
    fn a_new_day_starts_from_the_totals_of_the_last_one() {
        let created = CounterDelta {
            created: 1,
            status_moves: StatusMoves::one(None, Some(Status::Pending)),
            ..CounterDelta::on(day("2026-01-01"))
        };
        let completed = CounterDelta {
            completed: 1,
            bytes: 70,
            status_moves: StatusMoves::one(Some(Status::Pending), Some(Status::Completed)),
            ..CounterDelta::on(day("2026-01-03"))
        };
        let first = DayStats::after(None, &created);
        let second = DayStats::after(Some(first.clone()), &completed);
        assert_eq!((first.created, first.transfers.pending), (1, 1));
        assert_eq!((second.created, second.completed, second.bytes, second.bytes_stored), (0, 1, 70, 70));
        assert_eq!((second.transfers.pending, second.transfers.completed), (0, 1));
        let removed = CounterDelta { bytes_removed: 70, ..CounterDelta::on(day("2026-01-02")) };
        let third = DayStats::after(Some(second), &removed);
        assert_eq!((third.day.as_str(), third.bytes_stored), ("2026-01-03", 0));
    }
}
