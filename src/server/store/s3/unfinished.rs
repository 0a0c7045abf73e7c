//! Commits whose further records may be missing.
//!
//! Their writer was cancelled, or could not write a record.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use super::S3Store;
use super::object_format::WriteId;
use crate::domain::store::{StorageKey, StoreError};

/// Maximum number of remembered objects. A reader writes the records of forgotten ones.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(8_192).expect("the capacity is not zero");

/// Objects with the latest write of this process whose records may be missing.
///
/// The records are durable in the object's outbox. [`S3Store::finish_commits`] writes them, so that they are complete
/// when a server has stopped, and need no reader of the object.
pub(super) struct UnfinishedCommits(Mutex<LruCache<StorageKey, WriteId>>);

/// Registers a commit as unfinished when dropped, unless it is [`finished`](Self::finish).
pub(super) struct CommitGuard<'a> {
    commits: &'a UnfinishedCommits,
    commit: Option<(StorageKey, WriteId)>,
}

impl UnfinishedCommits {
    /// Guards a commit that is decided by the write `id` of `key`.
    pub(super) const fn guard(&self, key: StorageKey, id: WriteId) -> CommitGuard<'_> {
        CommitGuard { commits: self, commit: Some((key, id)) }
    }

    fn insert(&self, key: StorageKey, id: WriteId) {
        self.0.lock().expect("no thread panics while holding the lock").put(key, id);
    }

    fn take(&self) -> Option<(StorageKey, WriteId)> {
        self.0.lock().expect("no thread panics while holding the lock").pop_lru()
    }
}

impl CommitGuard<'_> {
    /// Ends the guard: all records are written, or none is to be.
    pub(super) fn finish(mut self) {
        self.commit = None;
    }
}

impl Drop for CommitGuard<'_> {
    fn drop(&mut self) {
        if let Some((key, id)) = self.commit.take() {
            self.commits.insert(key, id);
        }
    }
}

impl S3Store {
    /// Writes the records of unfinished commits.
    ///
    /// # Errors
    /// The first failure; that commit and those after it stay unfinished.
    pub(super) async fn finish_commits(&self) -> Result<(), StoreError> {
        while let Some((key, id)) = self.0.unfinished.take() {
            let guard = self.0.unfinished.guard(key.clone(), id.clone());
            let log = self.bucket().get(&key).await?.and_then(|found| found.version.log);
            // A later writer has written the records first; a write that was not applied has none.
            if let Some(log) = log.filter(|log| log.last() == Some(&id)) {
                self.write_outbox(&log).await?;
            }
            guard.finish();
        }
        Ok(())
    }
}

impl Default for UnfinishedCommits {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl fmt::Debug for UnfinishedCommits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnfinishedCommits")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::OUTBOX_DELAY;
    use super::super::test_server::S3TestServer;
    use super::*;
    use crate::domain::store::{Change, Commit, Condition, Records, Store};

    fn key(text: &str) -> StorageKey {
        StorageKey::from_backend(text.to_owned())
    }

    async fn start() -> (Arc<S3TestServer>, S3Store) {
        let (server, endpoint, _) = S3TestServer::default().start().await;
        (server, S3Store::of_test(&endpoint, "s3://bucket/store", OUTBOX_DELAY))
    }

    fn with_event(object: &str) -> Commit {
        let change = Change { key: key(object), condition: Condition::Absent, value: "{}".into() };
        Commit { records: vec![(key(&format!("events/{object}")), "event".into())], ..Commit::of(change) }
    }

    /// Cancels a commit when the server has received its write of a key with `text`.
    async fn cancel_at(server: &S3TestServer, store: &S3Store, text: &'static str, object: &str) {
        server.hold(Some(text));
        tokio::select! {
            committed = store.commit(with_event(object)) => panic!("{committed:?}"),
            () = server.until_held() => {}
        }
        server.hold(None);
    }

    #[tokio::test]
    async fn a_flush_writes_the_records_of_cancelled_commits() {
        let (server, store) = start().await;
        cancel_at(&server, &store, "events/", "transfers/a").await;
        assert!(store.get(&key("events/transfers/a")).await.unwrap().is_none());
        store.flush().await.unwrap();
        assert_eq!(store.get(&key("events/transfers/a")).await.unwrap().unwrap().value, "event");
        server.take_requests();
        store.flush().await.unwrap();
        assert_eq!(server.take_requests(), [], "the commit is finished");
    }

    #[tokio::test]
    async fn a_commit_whose_object_was_not_written_has_no_records() {
        let (server, store) = start().await;
        cancel_at(&server, &store, "store/transfers/", "transfers/a").await;
        store.flush().await.unwrap();
        for missing in ["transfers/a", "events/transfers/a"] {
            assert!(store.get(&key(missing)).await.unwrap().is_none(), "{missing}");
        }
    }

    #[tokio::test]
    async fn a_commit_stays_unfinished_while_its_records_cannot_be_written() {
        let (server, store) = start().await;
        cancel_at(&server, &store, "events/", "transfers/a").await;
        server.hold(Some("events/"));
        tokio::select! {
            flushed = store.flush() => panic!("{flushed:?}"),
            () = server.until_held() => {}
        }
        server.hold(None);
        tokio::time::timeout(Duration::from_mins(1), store.flush()).await.unwrap().unwrap();
        assert!(store.get(&key("events/transfers/a")).await.unwrap().is_some());
    }
}
