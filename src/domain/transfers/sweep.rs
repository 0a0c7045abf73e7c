//! Sweeper: persists expiry, removes payloads, and removes records after their retention.
//!
//! Requests don't depend on the sweeper, since they compute expiry from the clock. Each step is idempotent, and a crash
//! at any point leaves a schedule entry, so that a later sweep continues.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{Transfers, status_change};
use crate::domain::audit::{Event, Record, with_transfer_keys};
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::notification::{LOG_PERIOD, NotificationKind};
use crate::domain::stats::{CounterDelta, STATS_RETENTION, StatusMoves};
use crate::domain::store::{
    Commit, Prefix, ScheduleEntry, ScheduledWork, StorageKey, Swap, TransferIndexEntry, Version, read,
};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{PayloadState, Transfer};

/// Number of schedule entries per list request.
const PAGE_SIZE: usize = 500;
/// Maximum number of records removed per commit.
pub(super) const REMOVALS_PER_COMMIT: usize = 500;
/// Minimum delay before a transfer is processed again.
pub(super) const RETRY_AFTER: Duration = Duration::from_mins(1);

/// Age up to which a schedule entry may precede its change.
///
/// Buckets write entries before their changes, and the clocks of servers differ.
const ENTRY_GRACE: Duration = Duration::from_mins(15);

/// Result of one sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepResult {
    /// Number of schedule entries processed.
    pub processed: u64,
    /// Number of payloads removed.
    pub payloads_removed: u64,
    /// Number of transfers removed completely, including their records.
    pub removed: u64,
    /// Number of failed transfers, scheduled again.
    pub failed: u64,
}

impl SweepResult {
    const fn plus(self, other: Self) -> Self {
        Self {
            processed: self.processed + other.processed,
            payloads_removed: self.payloads_removed + other.payloads_removed,
            removed: self.removed + other.removed,
            failed: self.failed + other.failed,
        }
    }
}

impl Transfers {
    /// Processes all transfers due by the schedule, and removes service records and counters of old days.
    ///
    /// Cancelling the sweep at any point is safe.
    pub async fn sweep(&self) -> Result<SweepResult, Error> {
        self.write_deletions().await;
        let now = self.now();
        let retention = self.settings().retention;
        self.remove_days(&StorageKey::all_service_reads(), now.minus(retention.reads()), 0).await?;
        self.remove_days(&StorageKey::all_service_records(), now.minus(retention.changes()), 0).await?;
        self.remove_days(&StorageKey::all_notifications(), now.minus(LOG_PERIOD), 0).await?;
        // The most recent day stays regardless of its age, since it contains the totals.
        self.remove_days(&StorageKey::all_stats(), now.minus(STATS_RETENTION), 1).await?;
        let concurrency = self.store().cleanup_concurrency();
        let mut swept = SweepResult::default();
        let mut after = None;
        loop {
            let page = self.store().keys(&StorageKey::all_schedule_entries(), after.as_ref(), PAGE_SIZE).await?;
            let Some(last) = page.last().cloned() else { return Ok(swept) };
            let minute = self.now().minute();
            let (due, later): (Vec<_>, Vec<_>) = page
                .into_iter()
                .partition(|key| ScheduleEntry::from_key(key).is_none_or(|entry| entry.minute <= minute));
            let results = stream::iter(due).map(|entry| self.process(entry)).buffer_unordered(concurrency);
            swept = results.fold(swept, async |swept, one| swept.plus(one)).await;
            if !later.is_empty() {
                return Ok(swept);
            }
            after = Some(last);
        }
    }

    /// Removes the objects under `prefix` of days before the UTC day of `end`. Keeps the last `keep` objects.
    ///
    /// Lists from the start each time, since the objects of the page before are removed.
    async fn remove_days(&self, prefix: &Prefix, end: Timestamp, keep: usize) -> Result<(), Error> {
        let end = end.day();
        loop {
            let mut removals = self.store().keys(prefix, None, REMOVALS_PER_COMMIT).await?;
            removals.truncate(removals.len().saturating_sub(keep));
            removals.retain(|key| key.day().is_some_and(|day| day < end));
            if removals.is_empty() {
                return Ok(());
            }
            self.store().commit(Commit { removals, ..Commit::with_reserve() }).await?;
        }
    }

    /// Processes one schedule entry. A failed transfer is scheduled again, so that the failed transfer does not block
    /// other transfers.
    async fn process(&self, entry: StorageKey) -> SweepResult {
        let mut swept = SweepResult { processed: 1, ..SweepResult::default() };
        let Some(due) = ScheduleEntry::from_key(&entry) else {
            Self::report(None, self.reschedule(entry, None).await);
            return swept;
        };
        let id = due.transfer_id;
        let processed = match due.work {
            ScheduledWork::Transfer => self.process_transfer(&due, entry.clone(), &mut swept).await,
            ScheduledWork::Reads => self.remove_due_reads(id, entry.clone()).await,
        };
        let result = match processed {
            // The transfer is being created...
            Err(Error::TransferNotFound) if self.is_fresh(&due) => Ok(()),
            // ...or was never created, or is already removed.
            Err(Error::TransferNotFound) => self.reschedule(entry.clone(), None).await,
            other => other,
        };
        if let Err(error) = result {
            swept.failed += 1;
            let retry = ScheduleEntry { minute: self.now().plus(RETRY_AFTER).minute(), ..due }.key();
            Self::report(Some(id), Err(error));
            Self::report(Some(id), self.reschedule(entry, Some(retry)).await);
        }
        swept
    }

    /// Returns whether the change that an entry was written for may still follow.
    fn is_fresh(&self, entry: &ScheduleEntry) -> bool {
        entry.minute > self.now().minus(ENTRY_GRACE).minute()
    }

    fn report(id: Option<TransferId>, result: Result<(), Error>) {
        if let Err(error) = result {
            tracing::error!(?id, error = %chain(&error), "cannot sweep a transfer");
        }
    }

    async fn process_transfer(
        &self,
        due: &ScheduleEntry,
        entry: StorageKey,
        swept: &mut SweepResult,
    ) -> Result<(), Error> {
        let id = due.transfer_id;
        let (mut transfer, version) = match self.apply_expiry(id).await {
            // The space of the payload may be what the change needs.
            Err(Error::StorageFull) if self.remove_unreachable(id).await? => self.apply_expiry(id).await?,
            applied => applied?,
        };
        let mut links_next = self.end_with_links(&mut transfer).await?;
        if let Some(next) = &mut links_next
            && let Some(reminder) = self.remind_with_links(&mut transfer).await?
        {
            *next = reminder.min(*next);
        }
        if transfer.payload == PayloadState::PendingRemoval {
            let removed = self.remove_payload(&transfer, version, None, Some(&entry)).await?;
            swept.payloads_removed += 1;
            if removed.is_rescheduled {
                return Ok(());
            }
            transfer = removed.transfer;
        }
        let now = self.now();
        let is_removed = transfer.payload == PayloadState::Removed;
        if is_removed && transfer.second_removal_at().is_some_and(|at| at <= now) {
            transfer = self.remove_late_payload(&transfer).await?;
        }
        if self.is_over(&transfer, now) {
            self.forget_reservations(&transfer).await?;
            self.subtract_from_counters(id).await?;
            swept.removed += 1;
            return self.remove_records(&transfer, entry).await;
        }
        // Without an end yet, the entry may be that of a deletion that another server is about to write.
        if transfer.payload == PayloadState::Stored && self.is_fresh(due) {
            return Ok(());
        }
        let next = links_next.map_or_else(|| self.next_visit(&transfer, now), |next| next.max(now.plus(RETRY_AFTER)));
        self.reschedule(entry, Some(StorageKey::schedule_entry(next, id))).await
    }

    /// Returns whether all records of a transfer are to be removed.
    fn is_over(&self, transfer: &Transfer, now: Timestamp) -> bool {
        let retain = self.settings().retention.changes();
        let is_removed = transfer.payload == PayloadState::Removed && transfer.second_removal_at().is_none();
        is_removed && transfer.retained_until(retain) <= now || transfer.forgotten
    }

    /// Returns the time of the next schedule entry of a transfer.
    fn next_visit(&self, transfer: &Transfer, now: Timestamp) -> Timestamp {
        transfer.next_sweep_at(now, self.settings().retention.changes()).max(now.plus(RETRY_AFTER))
    }

    /// Returns the writes that replace a schedule entry after a payload was removed.
    ///
    /// `None` if the sweep is not done with the transfer.
    pub(super) fn next_entry(&self, transfer: &Transfer, entry: &StorageKey, now: Timestamp) -> Option<Commit> {
        let is_due = transfer.second_removal_at().is_some_and(|at| at <= now);
        if is_due || self.is_over(transfer, now) {
            return None;
        }
        let next = StorageKey::schedule_entry(self.next_visit(transfer, now), transfer.transfer_id);
        Some(replacing(entry.clone(), Some(next)))
    }

    /// Removes a payload that nobody can download any more, before the store knows it. Returns whether it did.
    async fn remove_unreachable(&self, id: TransferId) -> Result<bool, Error> {
        let found = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?.ok_or(Error::TransferNotFound)?;
        let (mut transfer, now) = (found.value, self.now());
        transfer.apply_expiry(now);
        let is_unreachable = transfer.release_payload(now);
        if is_unreachable {
            self.remove_stored(transfer.payload_id()).await?;
        }
        Ok(is_unreachable)
    }

    /// Persists the expiry of a transfer and the release of its payload, if either is due. Also returns the version that
    /// was written.
    pub(super) async fn apply_expiry(&self, id: TransferId) -> Result<(Transfer, Option<Version>), Error> {
        let now = self.now();
        let _lock = self.0.transfer_locks.lock(id).await;
        self.change_locked(id, None, |mut transfer| {
            let before = transfer.state.status();
            let event = transfer.apply_expiry(now);
            let released = transfer.release_payload(now);
            let reminds = event.is_none() && transfer.take_reminder(now);
            if event.is_none() && !released && !reminds {
                return Ok(Swap::Keep(transfer));
            }
            let event_record = |kind| Record::Event(Event::server(self.0.ids.next(now), None, now, kind));
            let mut with = Commit {
                records: with_transfer_keys(id, &event.into_iter().map(event_record).collect::<Vec<_>>()),
                counter_delta: event.map(|_| status_change(now, before, transfer.state.status())),
                ..Commit::with_reserve()
            };
            let expired = event.map(|_| NotificationKind::TransferExpired);
            let reminder = reminds.then_some(NotificationKind::TransferExpiringUnclaimed);
            let kinds: Vec<_> = expired.into_iter().chain(reminder).collect();
            transfer.notify(&mut with, &self.0.ids, now, &kinds);
            Ok(Swap::write(transfer.clone(), with, transfer))
        })
        .await
    }

    /// Replaces a schedule entry by `next`, or removes the entry; `next` is written before the removal.
    pub(super) async fn reschedule(&self, entry: StorageKey, next: Option<StorageKey>) -> Result<(), Error> {
        self.store().commit(replacing(entry, next)).await?;
        Ok(())
    }

    /// Removes a transfer with all its records. Its state goes last, so that a sweep after a crash continues.
    async fn remove_records(&self, transfer: &Transfer, entry: StorageKey) -> Result<(), Error> {
        let id = transfer.transfer_id;
        // An upload that started during the removal of the payload, and was interrupted, may have left bytes.
        self.store().remove(transfer.payload_id()).await?;
        // The index first: an entry never outlives its transfer.
        self.store()
            .commit(Commit { removals: TransferIndexEntry::keys_of(transfer), ..Commit::with_reserve() })
            .await?;
        self.remove_links(transfer).await?;
        let state = StorageKey::transfer(id);
        self.remove_all(&StorageKey::all_of_transfer(id), Some(&state)).await?;
        let created_under = transfer.created_under.clone().map(StorageKey::from_backend);
        let removals = created_under.into_iter().chain([state, entry]).collect();
        self.store().commit(Commit { removals, ..Commit::with_reserve() }).await?;
        Ok(())
    }

    /// Removes the objects under `prefix`, except the one at `keep`.
    pub(super) async fn remove_all(&self, prefix: &Prefix, keep: Option<&StorageKey>) -> Result<(), Error> {
        loop {
            let mut removals = self.store().keys(prefix, None, REMOVALS_PER_COMMIT).await?;
            removals.retain(|key| Some(key) != keep);
            if removals.is_empty() {
                return Ok(());
            }
            self.store().commit(Commit { removals, ..Commit::with_reserve() }).await?;
        }
    }

    /// Subtracts a transfer from the counters, once. Several sweepers or schedule entries may process the transfer.
    async fn subtract_from_counters(&self, id: TransferId) -> Result<(), Error> {
        let now = self.now();
        self.change(id, |mut transfer| {
            if transfer.forgotten {
                return Ok(Swap::Keep(()));
            }
            let with = Commit { counter_delta: Some(removal(now, &transfer)), ..Commit::with_reserve() };
            transfer.forgotten = true;
            Ok(Swap::write(transfer, with, ()))
        })
        .await
    }
}

/// Returns the writes that replace a schedule entry by `next`.
fn replacing(entry: StorageKey, next: Option<StorageKey>) -> Commit {
    let removals = if next.as_ref() == Some(&entry) { Vec::new() } else { vec![entry] };
    Commit { schedule: next.into_iter().collect(), removals, ..Commit::with_reserve() }
}

/// Creates the counter change of a removed transfer.
fn removal(now: Timestamp, transfer: &Transfer) -> CounterDelta {
    CounterDelta { status_moves: StatusMoves::one(Some(transfer.state.status()), None), ..CounterDelta::on(now.day()) }
}
