//! Writes the audit records of requests without a commit, in batches.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};

use super::budget::{BudgetKind, Budgets, Charge, ServiceRequestKind, stored_bytes};
use super::commit::{with_keys, with_read_keys, with_service_keys, with_transfer_keys};
use super::pieces::Pieces;
use super::read_schedule::ReadSchedule;
use super::{Event, EventKind, Record, RecordClass};
use crate::domain::address::NetworkKey;
use crate::domain::clock::Clock;
use crate::domain::error::chain;
use crate::domain::id::{RecordIds, TransferId};
use crate::domain::limits::free_space::{FreeSpaceLevel, MinFreeSpace};
use crate::domain::store::{Commit, StorageKey, Store};

/// Longest delay of a record while a batch is collected.
const BATCH_DELAY: Duration = Duration::from_millis(500);
/// Maximum number of requests whose records are written in one commit.
const MAX_BATCH: usize = 512;
/// Maximum number of records kept for a retry after a failed write. The excess is dropped, and its number logged.
const MAX_UNWRITTEN: usize = 10_000;
/// Maximum concurrent lookups of transfers.
const MAX_LOOKUPS: usize = 32;

/// Records of a request that its own commit did not record.
pub(super) struct QueuedRequest {
    pub(super) named_transfer: Option<TransferId>,
    pub(super) exists: bool,
    /// Budget for a request that belongs to no transfer. `None` for admin requests, which are always recorded.
    pub(super) service_request: Option<ServiceRequestKind>,
    pub(super) priority: Priority,
    pub(super) class: RecordClass,
    pub(super) budget: BudgetKind,
    pub(super) network: NetworkKey,
    pub(super) records: Vec<Record>,
    pub(super) written: Option<oneshot::Sender<()>>,
}

/// Priority of the records of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// Record of a read or a rejected request: written within a budget.
    Ordinary,
    /// Record of a change, whose number other limits bound: always written.
    Change,
    /// Record of a deletion or an admin: always written, and may use the reserve of the store.
    Privileged,
}

/// Task that writes the records of requests in batches.
pub(super) struct Writer {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<RecordIds>,
    pub(super) budgets: Arc<Mutex<Budgets>>,
    pub(super) pieces: Arc<Mutex<Pieces>>,
    pub(super) min_free: MinFreeSpace,
    pub(super) read_schedule: ReadSchedule,
    /// Records of failed commits, written first in the next commit.
    pub(super) unwritten: Vec<(StorageKey, Bytes)>,
    /// As `unwritten`, of privileged records.
    pub(super) unwritten_privileged: Vec<(StorageKey, Bytes)>,
}

impl Writer {
    /// Writes entries until the log is dropped.
    pub(super) async fn run(mut self, mut entries: mpsc::Receiver<QueuedRequest>) {
        let mut batch = Vec::new();
        loop {
            let open = self.collect(&mut entries, &mut batch).await;
            self.write(&mut batch, !open).await;
            if !open {
                return;
            }
        }
    }

    /// Collects a batch: waits for an entry, then for more, unless a request waits for its record.
    ///
    /// Returns `false` when the log was dropped.
    async fn collect(&self, entries: &mut mpsc::Receiver<QueuedRequest>, batch: &mut Vec<QueuedRequest>) -> bool {
        // Wakes up every 5 seconds even when idle, to report skipped records.
        match tokio::time::timeout(BATCH_DELAY * 10, entries.recv()).await {
            Ok(Some(entry)) => batch.push(entry),
            Ok(None) => return false,
            Err(_) => return true,
        }
        let deadline = tokio::time::Instant::now() + BATCH_DELAY;
        while batch.len() < MAX_BATCH {
            let urgent = batch.iter().any(|entry| entry.written.is_some());
            let next = if urgent { entries.try_recv().ok() } else { wait_until(deadline, entries).await };
            match next {
                Some(entry) => batch.push(entry),
                None => break,
            }
        }
        !(entries.is_closed() && entries.is_empty())
    }

    async fn write(&mut self, batch: &mut Vec<QueuedRequest>, last: bool) {
        let existing = self.existing_transfers(batch).await;
        let mut records = std::mem::take(&mut self.unwritten);
        let mut privileged = std::mem::take(&mut self.unwritten_privileged);
        let mut receipts = Vec::new();
        for entry in batch.drain(..) {
            let transfer = match entry.named_transfer {
                Some(id) if entry.exists || existing.contains(&id) => Some(id),
                _ => None,
            };
            let records = if entry.priority == Priority::Privileged { &mut privileged } else { &mut records };
            records.extend(self.within_budget(transfer, &entry));
            receipts.extend(entry.written);
        }
        records.extend(self.quiet_uploads(last));
        records.extend(self.truncations(last));
        // Separate, since these may use the store's reserve, and those of strangers may not.
        self.unwritten_privileged = self.commit(privileged, Commit::with_reserve()).await;
        self.unwritten = self.commit(records, Commit::default()).await;
        for receipt in receipts {
            // An error means that the request no longer waits; its record is written regardless.
            let _ = receipt.send(());
        }
    }

    /// Writes records with `commit`; returns them after a failure, for a retry.
    async fn commit(&self, mut records: Vec<(StorageKey, Bytes)>, commit: Commit) -> Vec<(StorageKey, Bytes)> {
        if records.is_empty() {
            return records;
        }
        let entries = self.read_schedule.missing(&records);
        let commit = Commit { schedule: entries.keys(), records: records.clone(), ..commit };
        let Err(error) = self.store.commit(commit).await else {
            entries.set_written();
            return Vec::new();
        };
        let dropped = records.len().saturating_sub(MAX_UNWRITTEN);
        tracing::error!(error = %chain(&error), dropped, "writing audit records failed, will retry");
        records.truncate(MAX_UNWRITTEN);
        records
    }

    /// Looks up the transfers named by requests that ended before their own lookup. Returns the existing transfers.
    async fn existing_transfers(&self, batch: &[QueuedRequest]) -> BTreeSet<TransferId> {
        let unknown: BTreeSet<_> =
            batch.iter().filter(|entry| !entry.exists).filter_map(|entry| entry.named_transfer).collect();
        let lookups = stream::iter(unknown).map(async |id| {
            let found = self.store.get(&StorageKey::transfer(id)).await;
            matches!(found, Ok(Some(_))).then_some(id)
        });
        lookups.buffer_unordered(MAX_LOOKUPS).filter_map(async |found| found).collect().await
    }

    /// Returns the records of a request with their keys; none if their budget is exhausted.
    fn within_budget(&self, transfer: Option<TransferId>, entry: &QueuedRequest) -> Vec<(StorageKey, Bytes)> {
        let records = || match transfer {
            Some(id) => with_keys(id, entry.class, &entry.records),
            None => with_service_keys(entry.class, &entry.records),
        };
        let charge = match (transfer, entry.service_request) {
            // Changes and admin requests have no budget.
            _ if entry.priority != Priority::Ordinary => return records(),
            (_, None) => return records(),
            (Some(id), Some(_)) => Charge::Transfer(id, entry.budget),
            (None, Some(kind)) => Charge::Service(kind),
        };
        let charged = || {
            let records = records();
            let bytes = stored_bytes(&records);
            (records, bytes)
        };
        let mut budgets = self.budgets.lock().expect("no code panics while holding this lock");
        let has_space = self.store.space().level(self.min_free) < FreeSpaceLevel::BelowHalfMinimum;
        let taken = has_space.then(|| budgets.take(charge, entry.network, self.clock.now(), charged)).flatten();
        if taken.is_none() {
            budgets.skip_charge(charge);
        }
        taken.unwrap_or_default()
    }

    /// Takes the records of uploads without a further piece; with `last`, of all uploads.
    fn quiet_uploads(&self, last: bool) -> Vec<(StorageKey, Bytes)> {
        let mut pieces = self.pieces.lock().expect("no code panics while holding this lock");
        let quiet = pieces.take_quiet(self.clock.now(), last);
        quiet.into_iter().flat_map(|(id, records)| with_transfer_keys(id, &records.into_records())).collect()
    }

    /// Builds the [`EventKind::AuditTruncated`] records that report skipped records.
    fn truncations(&self, last: bool) -> Vec<(StorageKey, Bytes)> {
        let now = self.clock.now();
        let report = |id, skipped| {
            let event = Event::server(self.ids.next(now), None, now, EventKind::AuditTruncated);
            let records = with_read_keys(id, &[Record::Event(Event { skipped: Some(skipped), ..event })]);
            let bytes = stored_bytes(&records);
            (records, bytes)
        };
        let mut budgets = self.budgets.lock().expect("no code panics while holding this lock");
        budgets.take_unreported(now, last, report).into_iter().flatten().collect()
    }
}

async fn wait_until(
    deadline: tokio::time::Instant,
    entries: &mut mpsc::Receiver<QueuedRequest>,
) -> Option<QueuedRequest> {
    tokio::time::timeout_at(deadline, entries.recv()).await.ok().flatten()
}
