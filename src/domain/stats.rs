//! Counters: what each day added, and the totals up to it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::{StoreError, from_json};
use super::timestamp::Day;
use super::transfer::Status;
use super::version::V1;

/// What commits add to the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The day it counts for.
    pub day: Day,
    /// Transfers created.
    pub created: u64,
    /// Transfers completed.
    pub completed: u64,
    /// Downloads counted.
    pub downloads: u64,
    /// Payload bytes of the transfers completed.
    pub bytes: u64,
    /// From which stored status to which transfers went.
    pub moved: Moves,
    /// Payload bytes that a removal freed.
    pub bytes_removed: u64,
}

impl Tally {
    /// Nothing yet, on `day`.
    #[must_use]
    pub const fn on(day: Day) -> Self {
        Self { day, created: 0, completed: 0, downloads: 0, bytes: 0, moved: Moves::NONE, bytes_removed: 0 }
    }

    /// Adds what another commit adds; counts for the later of both days.
    pub fn merge(&mut self, other: &Self) {
        if other.day > self.day {
            self.day = other.day.clone();
        }
        self.created += other.created;
        self.completed += other.completed;
        self.downloads += other.downloads;
        self.bytes += other.bytes;
        self.moved = self.moved.and(other.moved);
        self.bytes_removed += other.bytes_removed;
    }
}

/// How the number of transfers in each status changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moves([i64; Status::ALL.len()]);

impl Moves {
    /// None changed.
    pub const NONE: Self = Self([0; Status::ALL.len()]);

    /// One transfer went from one stored status to another; `None` is "not there".
    #[must_use]
    pub fn one(from: Option<Status>, to: Option<Status>) -> Self {
        let step = |status| i64::from(to == Some(status)) - i64::from(from == Some(status));
        Self(Status::ALL.map(step))
    }

    fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] + other.0[at]))
    }
}

/// Transfers by their status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferCounts {
    /// Created, and still uploading.
    pub pending: u64,
    /// Ready to be fetched.
    pub completed: u64,
    /// Their time was over.
    pub expired: u64,
    /// Their downloads were used.
    pub exhausted: u64,
    /// Deleted.
    pub deleted: u64,
}

/// Transfers by their status, as several servers have added them up so far: what one has not written yet can leave
/// another's part below zero for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusSums {
    /// As in [`TransferCounts`].
    pub pending: i64,
    /// As in [`TransferCounts`].
    pub completed: i64,
    /// As in [`TransferCounts`].
    pub expired: i64,
    /// As in [`TransferCounts`].
    pub exhausted: i64,
    /// As in [`TransferCounts`].
    pub deleted: i64,
}

impl StatusSums {
    /// The number of this status.
    pub(super) fn of(&mut self, status: Status) -> &mut i64 {
        match status {
            Status::Pending => &mut self.pending,
            Status::Completed => &mut self.completed,
            Status::Expired => &mut self.expired,
            Status::Exhausted => &mut self.exhausted,
            Status::Deleted => &mut self.deleted,
        }
    }

    /// The numbers as people are told them.
    #[must_use]
    pub fn told(mut self) -> TransferCounts {
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

/// `stats/{day}.json`: one day's counters, and the totals at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayStats {
    /// The version of this form.
    pub v: V1,
    /// The day.
    pub day: Day,
    /// Transfers created on it.
    pub created: u64,
    /// Transfers completed on it.
    pub completed: u64,
    /// Downloads counted on it.
    pub downloads: u64,
    /// Payload bytes completed on it.
    pub bytes: u64,
    /// Transfers in the store, by the status that was last made durable.
    pub transfers: StatusSums,
    /// Bytes of completed payloads in the store; below zero for a while where a removal was written first.
    pub bytes_stored: i64,
    /// Downloads counted ever.
    pub downloads_ever: u64,
    /// Whether the totals went over into a later day: from then on nothing is added here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

impl DayStats {
    /// Reads the counters stored at `key`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where they are of another form.
    pub fn parse(key: &str, stored: &[u8]) -> Result<Self, StoreError> {
        from_json(key, stored)
    }

    /// The counters after `tally`, where `latest` are those of the last day that has any.
    ///
    /// A tally for a day before the latest one (a clock that went back) counts for the latest.
    #[must_use]
    pub fn after(latest: Option<Self>, tally: &Tally) -> Self {
        let mut stats = match latest {
            Some(latest) if latest.day >= tally.day => latest,
            Some(earlier) => Self {
                day: tally.day.clone(),
                created: 0,
                completed: 0,
                downloads: 0,
                bytes: 0,
                closed: false,
                ..earlier
            },
            None => Self {
                v: V1,
                day: tally.day.clone(),
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
        stats.add(tally);
        stats
    }

    fn add(&mut self, tally: &Tally) {
        self.created += tally.created;
        self.completed += tally.completed;
        self.downloads += tally.downloads;
        self.downloads_ever += tally.downloads;
        self.bytes += tally.bytes;
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes_stored =
            self.bytes_stored.saturating_add(signed(tally.bytes)).saturating_sub(signed(tally.bytes_removed));
        for (status, change) in Status::ALL.into_iter().zip(tally.moved.0) {
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
    fn what_is_written_in_another_order_adds_up_to_the_same() {
        let on = || Tally::on(day("2026-01-01"));
        let created = Tally { moved: Moves::one(None, Some(Status::Pending)), ..on() };
        let completed = Tally { bytes: 70, moved: Moves::one(Some(Status::Pending), Some(Status::Completed)), ..on() };
        let removed = Tally { bytes_removed: 70, moved: Moves::one(Some(Status::Completed), None), ..on() };
        let late =
            [&removed, &completed, &created].into_iter().fold(None, |stats, tally| Some(DayStats::after(stats, tally)));
        let stats = late.unwrap();
        assert_eq!((stats.transfers, stats.bytes_stored), (StatusSums::default(), 0));
        let early = DayStats::after(None, &removed);
        assert_eq!((early.bytes_stored, early.transfers.completed, early.transfers.told().completed), (-70, -1, 0));
    }

    #[test]
    fn a_new_day_starts_from_the_totals_of_the_last_one() {
        let created =
            Tally { created: 1, moved: Moves::one(None, Some(Status::Pending)), ..Tally::on(day("2026-01-01")) };
        let completed = Tally {
            completed: 1,
            bytes: 70,
            moved: Moves::one(Some(Status::Pending), Some(Status::Completed)),
            ..Tally::on(day("2026-01-03"))
        };
        let first = DayStats::after(None, &created);
        let second = DayStats::after(Some(first.clone()), &completed);
        assert_eq!((first.created, first.transfers.pending), (1, 1));
        assert_eq!((second.created, second.completed, second.bytes, second.bytes_stored), (0, 1, 70, 70));
        assert_eq!((second.transfers.pending, second.transfers.completed), (0, 1));
        let removed = Tally { bytes_removed: 70, ..Tally::on(day("2026-01-02")) };
        let third = DayStats::after(Some(second), &removed);
        assert_eq!((third.day.as_str(), third.bytes_stored), ("2026-01-03", 0));
    }
}
