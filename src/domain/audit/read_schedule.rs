//! Schedule of the removal of read records: one schedule entry per transfer and day with reads.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;

use crate::domain::id::{Striped, TransferId};
use crate::domain::limits::table::{Table, TablePolicy};
use crate::domain::store::StorageKey;
use crate::domain::timestamp::Timestamp;

/// Time whose read records of a transfer are removed together.
const WINDOW: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);
/// Transfers whose entry of the present window is known to be written. The entry of an evicted transfer is written again.
const TABLE: TablePolicy = TablePolicy::new(WINDOW, NonZeroUsize::new(16_384).unwrap());

/// Returns the schedule entry under which the read records that transfer `id` got at `at` are removed.
///
/// All records of a day share an entry, so records are kept up to a day longer than `retain_reads`. The day begins at a
/// minute that depends on the transfer, so that the removals of all transfers are spread over the day.
pub(crate) fn removal_entry(id: TransferId, at: Timestamp, retain_reads: Duration) -> StorageKey {
    // Rounded up, since an entry is due at the start of its minute.
    let rounded_up = Duration::from_millis(59_999);
    StorageKey::read_removal_entry(window_end(id, at).plus(retain_reads).plus(rounded_up), id)
}

/// Returns the end of the window of `at`, a full minute.
fn window_end(id: TransferId, at: Timestamp) -> Timestamp {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (window, minute) = (millis(WINDOW), millis(MINUTE));
    let minutes = usize::try_from(window / minute).unwrap_or(usize::MAX);
    let offset = id.stripe(minutes) as u64 * minute;
    Timestamp::from_millis((at.as_millis().saturating_add(window - offset) / window).saturating_mul(window) + offset)
}

/// Writes the schedule entries of read records, each at most once per process.
#[derive(Clone, Debug)]
pub(crate) struct ReadSchedule {
    retain_reads: Duration,
    written: Arc<Mutex<Table<TransferId, Timestamp>>>,
}

/// Schedule entries that a commit must write together with its records.
#[derive(Debug)]
pub(crate) struct MissingEntries {
    schedule: ReadSchedule,
    windows: BTreeMap<(TransferId, Timestamp), StorageKey>,
}

impl ReadSchedule {
    pub(super) fn new(retain_reads: Duration) -> Self {
        Self { retain_reads, written: Arc::new(Mutex::new(Table::new(TABLE))) }
    }

    fn written(&self) -> MutexGuard<'_, Table<TransferId, Timestamp>> {
        self.written.lock().expect("no code panics while holding this lock")
    }

    /// Returns the schedule entries for the read records among `records` that are not known to be written.
    pub(super) fn missing(&self, records: &[(StorageKey, Bytes)]) -> MissingEntries {
        let mut windows = BTreeMap::new();
        let mut written = self.written();
        for (key, _) in records {
            let Some((id, at)) = key.read_record() else { continue };
            let end = window_end(id, at);
            if written.get_mut(&id, at).is_none_or(|last| *last != end) {
                windows.entry((id, end)).or_insert_with(|| removal_entry(id, at, self.retain_reads));
            }
        }
        drop(written);
        MissingEntries { schedule: self.clone(), windows }
    }
}

impl MissingEntries {
    /// Returns the keys of the entries.
    pub(super) fn keys(&self) -> Vec<StorageKey> {
        self.windows.values().cloned().collect()
    }

    /// Notes that the entries are written.
    pub(super) fn set_written(self) {
        let mut written = self.schedule.written();
        for (id, end) in self.windows.into_keys() {
            // The start of the window, not its end: the table is emptied at a later day than the last.
            *written.get_or_insert(id, end.minus(WINDOW), || end) = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Event, EventKind, Record, with_read_keys};
    use crate::domain::id::RecordIds;
    use crate::domain::store::{ScheduleEntry, ScheduledWork};

    const NOW: Timestamp = Timestamp::from_millis(1_767_268_800_123);
    const RETAIN: Duration = Duration::from_hours(24 * 30);

    fn read(id: TransferId, at: Timestamp) -> Vec<(StorageKey, Bytes)> {
        let event = Event::server(RecordIds::default().next(at), None, at, EventKind::AuditTruncated);
        with_read_keys(id, &[Record::Event(event)])
    }

    #[test]
    fn records_are_due_after_their_retention_and_at_most_a_day_later() {
        for _ in 0..200 {
            let id = TransferId::random();
            for retain in [RETAIN, Duration::from_secs(90)] {
                let entry = ScheduleEntry::from_key(&removal_entry(id, NOW, retain)).unwrap();
                assert_eq!((entry.work, entry.transfer_id), (ScheduledWork::Reads, id));
                assert!(entry.minute >= NOW.plus(retain).minute());
                assert!(entry.minute <= NOW.plus(retain + WINDOW + MINUTE).minute());
                let end = window_end(id, NOW);
                assert_eq!(window_end(id, end.minus(Duration::from_millis(1))), end);
                assert_eq!(window_end(id, end), end.plus(WINDOW));
                assert_eq!(end.as_millis() % 60_000, 0);
            }
        }
    }

    #[test]
    fn removals_of_many_transfers_are_spread_over_the_day() {
        let minutes: std::collections::HashSet<_> = (0..1_000).map(|_| window_end(TransferId::random(), NOW)).collect();
        assert!(minutes.len() > 500, "{} different minutes", minutes.len());
    }

    #[test]
    fn an_entry_is_written_once_per_window() {
        let (schedule, id) = (ReadSchedule::new(RETAIN), TransferId::random());
        let records = read(id, NOW);
        assert_eq!(schedule.missing(&records).keys(), [removal_entry(id, NOW, RETAIN)]);
        let missing = schedule.missing(&records);
        assert_eq!(missing.keys().len(), 1, "an entry counts as written before its commit");
        missing.set_written();
        assert!(schedule.missing(&records).keys().is_empty());
        assert_eq!(schedule.missing(&read(TransferId::random(), NOW)).keys().len(), 1);
        let next = read(id, window_end(id, NOW));
        assert_eq!(schedule.missing(&next).keys(), [removal_entry(id, NOW.plus(WINDOW), RETAIN)]);
        let two: Vec<_> = records.into_iter().chain(next).collect();
        schedule.missing(&two).set_written();
        assert!(schedule.missing(&read(id, window_end(id, NOW))).keys().is_empty());
    }

    #[test]
    fn records_of_changes_have_no_entry() {
        let event = Event::server(RecordIds::default().next(NOW), None, NOW, EventKind::TransferCreated);
        let records = crate::domain::audit::with_transfer_keys(TransferId::random(), &[Record::Event(event)]);
        assert!(ReadSchedule::new(RETAIN).missing(&records).keys().is_empty());
    }
}
