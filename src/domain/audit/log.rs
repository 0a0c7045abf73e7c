//! Records of requests that changed nothing: gathered, and written within a second.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::budget::{Budgets, Spends, Stray};
use super::scope::keyed;
use super::{Documentation, Event, EventKind, Outcome, Record, RequestScope, ServiceName};
use crate::domain::clock::Clock;
use crate::domain::error::{ErrorCode, chain};
use crate::domain::id::{RecordIds, TransferId};
use crate::domain::store::{Commit, StorageKey, Store, to_json};

/// The longest that a record waits for others.
const GATHER_FOR: Duration = Duration::from_millis(500);
/// The most records in one commit.
const GATHER_AT_MOST: usize = 512;
/// Records that are kept for a store that fails; beyond it they are lost, and the log says how many.
const UNWRITTEN_AT_MOST: usize = 10_000;
/// Transfers that are looked for at once.
const LOOK_UPS: usize = 32;
/// Requests whose records may wait; beyond it they are left out and counted.
const QUEUE: usize = 8_192;

/// When records of reads and refusals reach the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// Within a second, many in one commit; flushed at shutdown.
    #[default]
    Gathered,
    /// Before the answer: for platforms that stop a process between two requests, and for tests.
    Through,
}

/// Where requests are recorded that no commit has recorded.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Entry>,
    mode: WriteMode,
    budgets: Arc<Mutex<Budgets>>,
    clock: Arc<dyn Clock>,
}

/// The task behind an [`AuditLog`]; it ends when the last clone of the log is gone and everything is written.
pub type Flusher = JoinHandle<()>;

struct Entry {
    named: Option<TransferId>,
    exists: bool,
    /// The budget that it comes out of where it belongs to no transfer; `None` for what an admin did.
    stray: Option<Stray>,
    spends: Spends,
    records: Vec<Record>,
    written: Option<oneshot::Sender<()>>,
}

impl AuditLog {
    /// Starts a log over `store`.
    #[must_use]
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<RecordIds>,
        mode: WriteMode,
    ) -> (Self, Flusher) {
        let (queue, entries) = mpsc::channel(QUEUE);
        let budgets = Arc::<Mutex<Budgets>>::default();
        let writer = Writer { store, clock: clock.clone(), ids, budgets: budgets.clone(), unwritten: Vec::new() };
        (Self { queue, mode, budgets, clock }, tokio::spawn(writer.run(entries)))
    }

    /// Records what the request's own commit has not recorded, as answered with `status`.
    pub async fn finish(&self, scope: &RequestScope, status: u16, code: Option<ErrorCode>, bytes_out: u64) {
        let now = self.clock.now();
        let outcome = Outcome::of_status(status);
        let mut records = Vec::new();
        if scope.documentation() < Documentation::Complete {
            records.push(scope.request_record(now, status, code, bytes_out));
        }
        if scope.documentation() < Documentation::Action {
            records.push(scope.action_record(now, outcome, code));
        }
        if records.is_empty() {
            return;
        }
        let spends = if outcome == Outcome::Done { Spends::Read } else { Spends::Refusal };
        let (written, receipt) = match self.mode {
            WriteMode::Gathered => (None, None),
            WriteMode::Through => {
                let (sender, receiver) = oneshot::channel();
                (Some(sender), Some(receiver))
            }
        };
        let mut entry = Entry {
            named: scope.named(),
            exists: scope.exists(),
            stray: stray_of(scope, code),
            spends,
            records,
            written,
        };
        if entry.stray == Some(Stray::Limited) {
            // A flood costs nothing beyond its budget, and nobody looks for what it names.
            entry.named = None;
            if !self.budgets.lock().expect("nothing panics while it holds this lock").take_stray(Stray::Limited, now) {
                return;
            }
        }
        match receipt {
            None => {
                if let Err(mpsc::error::TrySendError::Full(entry)) = self.queue.try_send(entry) {
                    tracing::debug!(route = scope.asked().route, "the audit queue is full: a record is left out");
                    if let (Some(id), true) = (entry.named, entry.exists) {
                        let mut budgets = self.budgets.lock().expect("nothing panics while it holds this lock");
                        budgets.skip(id, spends);
                    }
                }
            }
            Some(receipt) => {
                if self.queue.send(entry).await.is_ok() {
                    // An error means that the writer has ended; it has said why.
                    let _ = receipt.await;
                }
            }
        }
    }

    /// Notes that an event of a client was left out.
    pub fn skip_event(&self, id: TransferId) {
        let mut budgets = self.budgets.lock().expect("nothing panics while it holds this lock");
        budgets.skip_event(id);
    }
}

struct Writer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<RecordIds>,
    budgets: Arc<Mutex<Budgets>>,
    /// What a store that failed did not take: put before all else next time.
    unwritten: Vec<(StorageKey, Bytes)>,
}

impl Writer {
    async fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        let mut batch = Vec::new();
        loop {
            let open = self.gather(&mut entries, &mut batch).await;
            self.write(&mut batch, !open).await;
            if !open {
                return;
            }
        }
    }

    /// Waits for entries, then for more of them while nobody waits for an answer; `false` when the log is gone.
    async fn gather(&self, entries: &mut mpsc::Receiver<Entry>, batch: &mut Vec<Entry>) -> bool {
        // An idle log still wakes up, to tell what was left out.
        match tokio::time::timeout(GATHER_FOR * 10, entries.recv()).await {
            Ok(Some(entry)) => batch.push(entry),
            Ok(None) => return false,
            Err(_) => return true,
        }
        let deadline = tokio::time::Instant::now() + GATHER_FOR;
        while batch.len() < GATHER_AT_MOST {
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
        let known = self.look_up(batch).await;
        let mut records = std::mem::take(&mut self.unwritten);
        let mut receipts = Vec::new();
        for entry in batch.drain(..) {
            let transfer = match entry.named {
                Some(id) if entry.exists || known.contains(&id) => Some(id),
                _ => None,
            };
            if self.within_budget(transfer, &entry) {
                records.extend(match transfer {
                    Some(id) => keyed(id, &entry.records),
                    None => stray(&entry.records),
                });
            }
            receipts.extend(entry.written);
        }
        records.extend(self.truncations(last));
        if !records.is_empty()
            && let Err(error) = self.store.commit(Commit { records: records.clone(), ..Commit::default() }).await
        {
            let dropped = records.len().saturating_sub(UNWRITTEN_AT_MOST);
            tracing::error!(error = %chain(&error), dropped, "audit records could not be written yet");
            records.truncate(UNWRITTEN_AT_MOST);
            self.unwritten = records;
        }
        for receipt in receipts {
            // An error means that the request is gone; its record is written all the same.
            let _ = receipt.send(());
        }
    }

    /// The transfers that do exist, of those that refused requests have named.
    async fn look_up(&self, batch: &[Entry]) -> HashSet<TransferId> {
        let unknown: HashSet<_> = batch.iter().filter(|entry| !entry.exists).filter_map(|entry| entry.named).collect();
        let looking = stream::iter(unknown).map(async |id| {
            let found = self.store.get(&StorageKey::transfer(id)).await;
            matches!(found, Ok(Some(_))).then_some(id)
        });
        looking.buffer_unordered(LOOK_UPS).filter_map(async |found| found).collect().await
    }

    fn within_budget(&self, transfer: Option<TransferId>, entry: &Entry) -> bool {
        let now = self.clock.now();
        let mut budgets = self.budgets.lock().expect("nothing panics while it holds this lock");
        match (transfer, entry.stray) {
            // Of an admin, or taken before it was queued.
            (_, None | Some(Stray::Limited)) => true,
            (Some(id), _) => budgets.take(id, entry.spends, now),
            (None, Some(stray)) => budgets.take_stray(stray, now),
        }
    }

    fn truncations(&self, last: bool) -> Vec<(StorageKey, Bytes)> {
        let now = self.clock.now();
        let untold = self.budgets.lock().expect("nothing panics while it holds this lock").take_untold(now, last);
        let event = |(id, skipped)| {
            let event = Event::of_server(self.ids.next(now), None, now, EventKind::AuditTruncated);
            keyed(id, &[Record::Event(Event { skipped: Some(skipped), ..event })])
        };
        untold.into_iter().flat_map(event).collect()
    }
}

/// The budget of a request that turns out to belong to no transfer.
fn stray_of(scope: &RequestScope, code: Option<ErrorCode>) -> Option<Stray> {
    match scope.asked().service {
        _ if scope.is_admin() => None,
        _ if code == Some(ErrorCode::RateLimited) && !scope.exists() => Some(Stray::Limited),
        _ if code == Some(ErrorCode::TokenInvalid) => Some(Stray::WrongToken),
        ServiceName::Admin => Some(Stray::NoAdmin),
        ServiceName::Public => Some(Stray::Unknown),
    }
}

/// Records with the keys that they have where they belong to no transfer.
pub(crate) fn stray(records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    let put = |record| (StorageKey::service_record(record), to_json(record));
    records.iter().map(put).collect()
}

async fn wait_until(deadline: tokio::time::Instant, entries: &mut mpsc::Receiver<Entry>) -> Option<Entry> {
    tokio::time::timeout_at(deadline, entries.recv()).await.ok().flatten()
}
