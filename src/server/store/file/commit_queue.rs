//! The queue of commits, and the thread that writes them.

use std::io;
use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::{is_busy, is_full, store_error};
use super::transaction::{Answer, write_all};
use crate::domain::store::{Commit, StoreError};

/// How many commits wait at most, and so how many one transaction does.
const QUEUE: usize = 512;

/// Commits on their way to the one thread that writes. It takes all that wait into one transaction, so that they share
/// one sync of the disk, and answers each after it.
pub(super) struct CommitQueue {
    waiting: Option<mpsc::Sender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

struct Waiting {
    commit: Commit,
    answer: oneshot::Sender<Answer>,
}

impl CommitQueue {
    /// Starts the thread, which owns `connection`.
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let (waiting, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name("commits".to_owned()).spawn(move || run(connection, queue))?;
        Ok(Self { waiting: Some(waiting), thread: Some(thread) })
    }

    /// Writes `commit`, and returns when it is durable. It may happen even if nobody waits any longer.
    pub(super) async fn write(&self, commit: Commit) -> Answer {
        let (answer, answered) = oneshot::channel();
        let waiting = self.waiting.as_ref().expect("only dropping takes it");
        let ended = || StoreError::unavailable("the thread that writes has ended");
        waiting.send(Waiting { commit, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for CommitQueue {
    fn drop(&mut self) {
        drop(self.waiting.take());
        if let Some(thread) = self.thread.take() {
            // Its panic was reported where it happened.
            drop(thread.join());
        }
    }
}

fn run(mut connection: Connection, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
        write_batch(&mut connection, mem::take(&mut batch));
    }
}

/// Writes a batch in one transaction. Where that cannot be, each commit has one of its own: one that has no room must
/// not fail those that have, least of all those that make room.
fn write_batch(connection: &mut Connection, batch: Vec<Waiting>) {
    match write_all(connection, batch.iter().map(|waiting| &waiting.commit)) {
        Ok(answers) => {
            for (waiting, answer) in batch.into_iter().zip(answers) {
                waiting.answer(answer);
            }
        }
        Err(error) if batch.len() == 1 || is_busy(&error) => {
            let error = Arc::new(error);
            for waiting in batch {
                waiting.answer(Err(store_error(Arc::clone(&error))));
            }
        }
        Err(_) => {
            for waiting in batch {
                let answer = write_alone(connection, &waiting.commit);
                waiting.answer(answer);
            }
        }
    }
}

/// Writes one commit; where the disk is full, in the room that the log has once it is in the database.
fn write_alone(connection: &mut Connection, commit: &Commit) -> Answer {
    let mut written = write_all(connection, std::iter::once(commit));
    if written.as_ref().is_err_and(is_full)
        && connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).is_ok()
    {
        written = write_all(connection, std::iter::once(commit));
    }
    match written {
        Ok(answers) => answers.into_iter().next().expect("one answer for one commit"),
        Err(error) => Err(store_error(Arc::new(error))),
    }
}

impl Waiting {
    fn answer(self, answer: Answer) {
        // Whoever asked may have gone; what was written stays.
        drop(self.answer.send(answer));
    }
}
