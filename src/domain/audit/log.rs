//! The audit log: batches the records of requests without a commit, and writes them within 1 second.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::budget::{BudgetKind, Budgets, Charge, ServiceRequestKind, stored_bytes};
use super::pieces::Pieces;
use super::read_schedule::ReadSchedule;
use super::writer::{Priority, QueuedRequest, Writer};
use super::{
    ActionName, AuditState, Outcome, Record, RecordClass, RecordedCommit, RequestScope, Retention, ServiceName,
};
use crate::domain::clock::Clock;
use crate::domain::error::ErrorCode;
use crate::domain::id::{RecordIds, TransferId};
use crate::domain::limits::free_space::{FreeSpaceLevel, MinFreeSpace};
use crate::domain::store::Store;

/// Maximum number of queued requests. Records of further reads and rejected requests are skipped and counted; changes
/// and requests of the admin wait.
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

/// Settings of an [`AuditLog`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditSettings {
    /// Time at which records of reads and rejected requests are written.
    pub mode: WriteMode,
    /// Free space below half of which only records of changes and of the admin are written.
    pub min_free: MinFreeSpace,
    /// Retention of the records.
    pub retention: Retention,
}

/// Writes the audit records of requests that were not written together with a change.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<QueuedRequest>,
    mode: WriteMode,
    budgets: Arc<Mutex<Budgets>>,
    pieces: Arc<Mutex<Pieces>>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    min_free: MinFreeSpace,
    read_schedule: ReadSchedule,
}

/// Background writer task of an [`AuditLog`].
///
/// Ends after the last clone of the log is dropped and all records are written.
pub type Flusher = JoinHandle<()>;

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
        settings: AuditSettings,
    ) -> (Self, Flusher) {
        let AuditSettings { mode, min_free, retention } = settings;
        let (queue, entries) = mpsc::channel(QUEUE_CAPACITY);
        let (budgets, pieces) = (Arc::<Mutex<Budgets>>::default(), Arc::<Mutex<Pieces>>::default());
        let read_schedule = ReadSchedule::new(retention.reads());
        let writer = Writer {
            store: store.clone(),
            clock: clock.clone(),
            ids,
            budgets: budgets.clone(),
            pieces: pieces.clone(),
            min_free,
            read_schedule: read_schedule.clone(),
            unwritten: Vec::new(),
            unwritten_privileged: Vec::new(),
        };
        (
            Self { queue, mode, budgets, pieces, clock, store, min_free, read_schedule },
            tokio::spawn(writer.run(entries)),
        )
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
        let priority = priority(scope, outcome);
        let mut entry = QueuedRequest {
            named_transfer: scope.transfer_id(),
            exists: scope.exists(),
            service_request: service_request_kind(scope, code),
            priority,
            class: if priority == Priority::Ordinary { RecordClass::Read } else { scope.record_class() },
            budget,
            network: scope.request().network_key,
            records,
            written,
        };
        if entry.service_request == Some(ServiceRequestKind::Limited) {
            // A flood causes no records beyond its budget, and no lookup of the named transfer.
            entry.named_transfer = None;
            if !self.budgets().has_room(ServiceRequestKind::Limited, entry.network, now) {
                return;
            }
        }
        match receipt {
            None => {
                let Err(mpsc::error::TrySendError::Full(entry)) = self.queue.try_send(entry) else { return };
                if entry.priority == Priority::Ordinary {
                    tracing::debug!(route = scope.request().route, "audit queue full, record skipped");
                    if let (Some(id), true) = (entry.named_transfer, entry.exists) {
                        self.budgets().skip(id, budget);
                    }
                } else {
                    // Waits: a flood on a slow store must not hide a change or an admin. An error means that the writer
                    // has ended.
                    let _ = self.queue.send(entry).await;
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

    fn budgets(&self) -> MutexGuard<'_, Budgets> {
        self.budgets.lock().expect("no code panics while holding this lock")
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
            scope.set_audit_state(AuditState::Complete, RecordClass::Change);
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

    /// Charges a commit to the budget of reads of transfer `id`, and schedules the removal of its records.
    ///
    /// Its bytes are those of its records, and `further_bytes`.
    ///
    /// Returns whether the budget and the store have room. The commit must not be applied otherwise; the records of its
    /// request then count as skipped when the request ends.
    pub(crate) fn admit(
        &self,
        scope: &RequestScope,
        id: TransferId,
        commit: &mut RecordedCommit<'_>,
        further_bytes: u64,
    ) -> bool {
        commit.schedule_reads(&self.read_schedule);
        let charge = Charge::Transfer(id, BudgetKind::Read);
        let bytes = || ((), stored_bytes(commit.records()) + further_bytes);
        if scope.is_admin() {
            return true;
        }
        if self.store.space().level(self.min_free) >= FreeSpaceLevel::BelowHalfMinimum {
            return false;
        }
        self.budgets().take(charge, scope.request().network_key, self.clock.now(), bytes).is_some()
    }

    /// Counts a client event that was not recorded.
    pub fn skip_event(&self, id: TransferId) {
        self.budgets().skip_event(id);
    }
}

/// Selects the priority of the records of a request.
fn priority(scope: &RequestScope, outcome: Outcome) -> Priority {
    let action = scope.request().action;
    let is_done = outcome == Outcome::Done && scope.token_id().is_some() && !action.is_read();
    match scope.audit_state() {
        _ if scope.is_admin() => Priority::Privileged,
        AuditState::Missing if !is_done => Priority::Ordinary,
        _ if action == ActionName::TransferDelete => Priority::Privileged,
        _ => Priority::Change,
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
