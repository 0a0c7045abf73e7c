//! The audit log: batches the records of requests without a commit, and writes them within 1 second.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::budget::{BudgetKind, Budgets, ServiceRequestKind};
use super::pieces::Pieces;
use super::scope::with_transfer_keys;
use super::{AuditState, Event, EventKind, Outcome, Record, RequestScope, ServiceName};
use crate::domain::clock::Clock;
use crate::domain::error::{ErrorCode, chain};
use crate::domain::id::{RecordIds, TransferId};
use crate::domain::store::{Commit, StorageKey, Store, to_json};

/// Longest delay of a record while a batch is collected.
const BATCH_DELAY: Duration = Duration::from_millis(500);
/// Maximum number of requests whose records are written in one commit.
const MAX_BATCH: usize = 512;
/// Maximum number of records kept for a retry after a failed write. The excess is dropped, and its number logged.
const MAX_UNWRITTEN: usize = 10_000;
/// Maximum concurrent lookups of transfers.
const MAX_LOOKUPS: usize = 32;
/// Maximum number of queued requests; records of further requests are skipped and counted.
const QUEUE_CAPACITY: usize = 8_192;

/// Time at which records of reads and rejected requests are written to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// Within 1 second, in batches; flushed at shutdown.
    #[default]
    Batched,
    /// Before the response: for platforms that suspend the process between requests, and for tests.
    Immediate,
}

/// Writes the audit records of requests that were not written together with a change.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Entry>,
    mode: WriteMode,
    budgets: Arc<Mutex<Budgets>>,
    pieces: Arc<Mutex<Pieces>>,
    clock: Arc<dyn Clock>,
}

/// Background writer task of an [`AuditLog`].
///
/// Ends after the last clone of the log is dropped and all records are written.
pub type Flusher = JoinHandle<()>;

struct Entry {
    named_transfer: Option<TransferId>,
    exists: bool,
    /// Budget for a request that belongs to no transfer. `None` for admin requests, which are always recorded.
    service_request: Option<ServiceRequestKind>,
    budget: BudgetKind,
    records: Vec<Record>,
    written: Option<oneshot::Sender<()>>,
}

/// Properties of a response for its audit records.
#[derive(Clone, Copy, Debug)]
pub struct ResponseInfo {
    /// HTTP status of the response.
    pub status: u16,
    /// Outcome that this status stands for.
    pub outcome: Outcome,
    /// Error code of a rejected or failed request.
    pub code: Option<ErrorCode>,
    /// Size of the body, in bytes.
    pub bytes_out: u64,
}

impl AuditLog {
    /// Starts the writer task for `store`, and returns the log and the task's handle.
    #[must_use]
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<RecordIds>,
        mode: WriteMode,
    ) -> (Self, Flusher) {
        let (queue, entries) = mpsc::channel(QUEUE_CAPACITY);
        let (budgets, pieces) = (Arc::<Mutex<Budgets>>::default(), Arc::<Mutex<Pieces>>::default());
        let writer = Writer {
            store,
            clock: clock.clone(),
            ids,
            budgets: budgets.clone(),
            pieces: pieces.clone(),
            unwritten: Vec::new(),
        };
        (Self { queue, mode, budgets, pieces, clock }, tokio::spawn(writer.run(entries)))
    }

    /// Records the parts of a request that its own commit did not record.
    ///
    /// Does nothing if the commit recorded all parts.
    pub async fn finish(&self, scope: &RequestScope, response: ResponseInfo) {
        let now = self.clock.now();
        let ResponseInfo { status, outcome, code, bytes_out } = response;
        let mut records = Vec::new();
        if scope.audit_state() < AuditState::Complete {
            records.push(Record::Request(scope.request_record(now, status, code, bytes_out)));
        }
        if scope.audit_state() < AuditState::Action {
            records.push(Record::Action(scope.action_record(now, outcome, code)));
        }
        if records.is_empty() {
            return;
        }
        let budget = if outcome == Outcome::Done { BudgetKind::Read } else { BudgetKind::Rejection };
        let (written, receipt) = match self.mode {
            WriteMode::Batched => (None, None),
            WriteMode::Immediate => {
                let (sender, receiver) = oneshot::channel();
                (Some(sender), Some(receiver))
            }
        };
        let mut entry = Entry {
            named_transfer: scope.transfer_id(),
            exists: scope.exists(),
            service_request: service_request_kind(scope, code),
            budget,
            records,
            written,
        };
        if entry.service_request == Some(ServiceRequestKind::Limited) {
            // A flood causes no records beyond its budget, and no lookup of the named transfer.
            entry.named_transfer = None;
            if !self
                .budgets
                .lock()
                .expect("no code panics while holding this lock")
                .take_service_request(ServiceRequestKind::Limited, now)
            {
                return;
            }
        }
        match receipt {
            None => {
                if let Err(mpsc::error::TrySendError::Full(entry)) = self.queue.try_send(entry) {
                    tracing::debug!(route = scope.request().route, "audit queue full, record skipped");
                    if let (Some(id), true) = (entry.named_transfer, entry.exists) {
                        let mut budgets = self.budgets.lock().expect("no code panics while holding this lock");
                        budgets.skip(id, budget);
                    }
                }
            }
            Some(receipt) => {
                if self.queue.send(entry).await.is_ok() {
                    // An error means that the writer has ended, after logging the cause.
                    let _ = receipt.await;
                }
            }
        }
    }

    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().expect("no code panics while holding this lock")
    }

    /// Returns whether the pieces of an upload share their records.
    ///
    /// Without batches they don't: the process may be suspended before the shared records are written.
    pub(crate) fn shares_records_of_pieces(&self) -> bool {
        self.mode == WriteMode::Batched
    }

    /// Adds the records of a piece, other than the last, to those of the upload `id`.
    ///
    /// They are written with the last piece, after a minute without a piece, or at shutdown; a crash loses them.
    pub(crate) fn add_piece(&self, scope: &RequestScope, id: TransferId) {
        let Some(piece) = scope.piece_records(self.clock.now()) else { return };
        if self.pieces().add(id, piece) {
            scope.set_audit_state(AuditState::Complete);
        }
    }

    /// Attaches the records of earlier pieces to the request that finishes the upload `id`.
    pub(crate) fn attach_pieces(&self, scope: &RequestScope, id: TransferId) {
        let earlier = self.pieces().take(id, &scope.request().client);
        scope.set_earlier_pieces(earlier);
    }

    /// Detaches the records of earlier pieces from a request that failed to finish the upload `id`.
    pub(crate) fn detach_pieces(&self, scope: &RequestScope, id: TransferId) {
        if let Some(earlier) = scope.take_earlier_pieces() {
            // A full table loses the records, like a crash.
            self.pieces().add(id, earlier);
        }
    }

    /// Counts a client event that was not recorded.
    pub fn skip_event(&self, id: TransferId) {
        let mut budgets = self.budgets.lock().expect("no code panics while holding this lock");
        budgets.skip_event(id);
    }
}

struct Writer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<RecordIds>,
    budgets: Arc<Mutex<Budgets>>,
    pieces: Arc<Mutex<Pieces>>,
    /// Records of failed commits, written first in the next commit.
    unwritten: Vec<(StorageKey, Bytes)>,
}

impl Writer {
    async fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
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
    async fn collect(&self, entries: &mut mpsc::Receiver<Entry>, batch: &mut Vec<Entry>) -> bool {
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

    async fn write(&mut self, batch: &mut Vec<Entry>, last: bool) {
        let existing = self.existing_transfers(batch).await;
        let mut records = std::mem::take(&mut self.unwritten);
        let mut receipts = Vec::new();
        for entry in batch.drain(..) {
            let transfer = match entry.named_transfer {
                Some(id) if entry.exists || existing.contains(&id) => Some(id),
                _ => None,
            };
            if self.within_budget(transfer, &entry) {
                records.extend(match transfer {
                    Some(id) => with_transfer_keys(id, &entry.records),
                    None => with_service_keys(&entry.records),
                });
            }
            receipts.extend(entry.written);
        }
        records.extend(self.quiet_uploads(last));
        records.extend(self.truncations(last));
        if !records.is_empty()
            && let Err(error) = self.store.commit(Commit { records: records.clone(), ..Commit::default() }).await
        {
            let dropped = records.len().saturating_sub(MAX_UNWRITTEN);
            tracing::error!(error = %chain(&error), dropped, "writing audit records failed, will retry");
            records.truncate(MAX_UNWRITTEN);
            self.unwritten = records;
        }
        for receipt in receipts {
            // An error means that the request no longer waits; its record is written regardless.
            let _ = receipt.send(());
        }
    }

    /// Looks up the transfers named by requests that ended before their own lookup. Returns the existing transfers.
    async fn existing_transfers(&self, batch: &[Entry]) -> HashSet<TransferId> {
        let unknown: HashSet<_> =
            batch.iter().filter(|entry| !entry.exists).filter_map(|entry| entry.named_transfer).collect();
        let lookups = stream::iter(unknown).map(async |id| {
            let found = self.store.get(&StorageKey::transfer(id)).await;
            matches!(found, Ok(Some(_))).then_some(id)
        });
        lookups.buffer_unordered(MAX_LOOKUPS).filter_map(async |found| found).collect().await
    }

    fn within_budget(&self, transfer: Option<TransferId>, entry: &Entry) -> bool {
        let now = self.clock.now();
        let mut budgets = self.budgets.lock().expect("no code panics while holding this lock");
        match (transfer, entry.service_request) {
            // Admin requests have no budget; rate-limited requests were charged before queueing.
            (_, None | Some(ServiceRequestKind::Limited)) => true,
            (Some(id), _) => budgets.take(id, entry.budget, now),
            (None, Some(kind)) => budgets.take_service_request(kind, now),
        }
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
        let due = self.budgets.lock().expect("no code panics while holding this lock").take_unreported(now, last);
        let event = |(id, skipped)| {
            let event = Event::server(self.ids.next(now), None, now, EventKind::AuditTruncated);
            with_transfer_keys(id, &[Record::Event(Event { skipped: Some(skipped), ..event })])
        };
        due.into_iter().flat_map(event).collect()
    }
}

/// Selects the budget of a request in case it belongs to no transfer; `None` for admin requests.
fn service_request_kind(scope: &RequestScope, code: Option<ErrorCode>) -> Option<ServiceRequestKind> {
    match scope.request().service {
        _ if scope.is_admin() => None,
        _ if code == Some(ErrorCode::RateLimited) && !scope.exists() => Some(ServiceRequestKind::Limited),
        _ if code == Some(ErrorCode::TokenInvalid) => Some(ServiceRequestKind::WrongToken),
        ServiceName::Admin => Some(ServiceRequestKind::NoAdmin),
        ServiceName::Public => Some(ServiceRequestKind::Unknown),
    }
}

/// Pairs records that belong to no transfer with their storage keys, as serialised JSON.
pub(crate) fn with_service_keys(records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    let put = |record| (StorageKey::service_record(record), to_json(record));
    records.iter().map(put).collect()
}

async fn wait_until(deadline: tokio::time::Instant, entries: &mut mpsc::Receiver<Entry>) -> Option<Entry> {
    tokio::time::timeout_at(deadline, entries.recv()).await.ok().flatten()
}
