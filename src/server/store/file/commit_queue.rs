//! Queue of commits and the thread that writes them (group commit).

use std::io;
use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::{is_busy, is_full, store_error};
use super::space_monitor::DiskSpace;
use super::transaction::{CommitOutcome, write_all};
use crate::domain::store::{Commit, StoreError};

/// Maximum number of queued commits, and of commits in one transaction.
pub(super) const QUEUE: usize = 512;

/// Sends commits to the single writer thread.
///
/// The thread writes all queued commits in one transaction, so that they share one disk sync, and replies to each
/// commit after that sync.
pub(super) struct CommitQueue {
    waiting: Option<mpsc::Sender<QueuedCommit>>,
    thread: Option<JoinHandle<()>>,
}

struct QueuedCommit {
    commit: Commit,
    reply: oneshot::Sender<CommitOutcome>,
}

impl CommitQueue {
    /// Starts the writer thread, which owns `connection` and uses the reserve of `disk`.
    pub(super) fn start(connection: Connection, disk: Arc<DiskSpace>) -> io::Result<Self> {
        let (waiting, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name("commits".to_owned()).spawn(move || run(connection, &disk, queue))?;
        Ok(Self { waiting: Some(waiting), thread: Some(thread) })
    }

    /// Writes `commit` and returns once it is durable.
    ///
    /// Dropping the future does not cancel the write.
    pub(super) async fn write(&self, commit: Commit) -> CommitOutcome {
        let (reply, replied) = oneshot::channel();
        let waiting = self.waiting.as_ref().expect("the sender is taken only by Drop");
        let ended = || StoreError::unavailable("the writer thread of the store has ended");
        waiting.send(QueuedCommit { commit, reply }).await.map_err(|_| ended())?;
        replied.await.map_err(|_| ended())?
    }
}

impl Drop for CommitQueue {
    fn drop(&mut self) {
        drop(self.waiting.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has reported a panic of the thread already.
            drop(thread.join());
        }
    }
}

fn run(mut connection: Connection, disk: &DiskSpace, mut queue: mpsc::Receiver<QueuedCommit>) {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
        let mut batch = mem::take(&mut batch);
        // The rest of a reserve in use is not for commits that can wait.
        if !disk.allows_ordinary_commits() {
            for waiting in batch.extract_if(.., |waiting| !waiting.commit.may_use_reserve) {
                waiting.reply(Err(StoreError::Full));
            }
        }
        if !batch.is_empty() {
            write_batch(&mut connection, disk, batch);
        }
    }
}

/// Writes a batch in one transaction, or each commit in its own transaction if the batch fails.
///
/// A commit that does not fit on a full disk must not fail the others, least of all commits that free space. A busy
/// database fails the whole batch, since further attempts would be busy, too.
fn write_batch(connection: &mut Connection, disk: &DiskSpace, batch: Vec<QueuedCommit>) {
    match write_all(connection, batch.iter().map(|waiting| &waiting.commit)) {
        Ok(outcomes) => {
            for (waiting, reply) in batch.into_iter().zip(outcomes) {
                waiting.reply(reply);
            }
        }
        Err(error) if is_busy(&error) || (batch.len() == 1 && !is_full(&error)) => {
            let error = Arc::new(error);
            for waiting in batch {
                waiting.reply(Err(store_error(Arc::clone(&error))));
            }
        }
        Err(_) => {
            for waiting in batch {
                let reply = write_alone(connection, disk, &waiting.commit);
                waiting.reply(reply);
            }
        }
    }
}

/// Writes one commit.
///
/// If the disk is full, checkpoints the write-ahead log into the database, which makes the log's space reusable, and
/// retries; a commit that may use the reserve then retries with its space.
fn write_alone(connection: &mut Connection, disk: &DiskSpace, commit: &Commit) -> CommitOutcome {
    let mut write = || {
        let written = write_all(connection, std::iter::once(commit));
        if written.as_ref().is_err_and(is_full)
            && connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).is_ok()
        {
            return write_all(connection, std::iter::once(commit));
        }
        written
    };
    let written = if commit.may_use_reserve { disk.ballast().spend(is_full, write) } else { write() };
    match written {
        Ok(outcomes) => outcomes.into_iter().next().expect("write_all returns one result per commit"),
        Err(error) => {
            if is_full(&error) {
                disk.note_refused();
            }
            Err(store_error(Arc::new(error)))
        }
    }
}

impl QueuedCommit {
    fn reply(self, reply: CommitOutcome) {
        // The receiver may have been dropped; the commit stays written.
        drop(self.reply.send(reply));
    }
}
