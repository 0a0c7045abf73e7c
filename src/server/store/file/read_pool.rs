//! Pool of read-only database connections.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::blocking;
use super::connection::{open_reader, store_error};
use crate::domain::store::StoreError;

/// Maximum number of concurrent reads.
const READERS: usize = 4;

/// Pool of read-only connections, opened on demand.
pub(super) struct ReadPool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl ReadPool {
    /// Creates a pool for the database at `path`.
    pub(super) fn of(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default(), permits: Arc::new(Semaphore::new(READERS)) }
    }

    /// Runs `query` on a pooled connection, on Tokio's blocking thread pool.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let read_pool = Arc::clone(self);
        blocking(move || {
            let _permit = permit;
            read_pool.run(query).map_err(|error| store_error(Arc::new(error)))
        })
        .await
    }

    /// Runs `query` on an idle or new connection, and drops the connection if the query fails.
    fn run<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| open_reader(&self.path), Ok)?;
        let found = query(&connection)?;
        self.idle().push(connection);
        Ok(found)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("no thread panics while holding the lock")
    }
}
