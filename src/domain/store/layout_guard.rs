//! Stops the writes of a server whose store was upgraded by a newer version of this program.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::RwLock;

use super::{
    Commit, LayoutVersion, PayloadObjects, PayloadProbeError, PayloadStream, PayloadWriter, Payloads, Prefix,
    Presigner, Records, StorageKey, Store, StoreError, Version, Versioned,
};
use crate::domain::id::PayloadId;
use crate::domain::limits::free_space::{FreeSpace, SpaceReading};

/// Longest time for which a write relies on an earlier look at the layout version.
pub const LAYOUT_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Store that refuses all writes once its layout is newer than this program.
///
/// A write looks at the header before it starts, unless another one did within [`LAYOUT_CHECK_INTERVAL`]: an idle server
/// reads nothing. Reads go on, since the layout of an object never changes without its own format version.
pub(crate) struct LayoutGuard {
    store: Arc<dyn Store>,
    state: Arc<GuardState>,
}

#[derive(Default)]
struct GuardState {
    /// The newer version that was found; 0 while none was.
    newer: AtomicU32,
    checked_at: RwLock<Option<Instant>>,
}

impl GuardState {
    /// Notes a layout that is newer than this program.
    fn note<T>(&self, store: &dyn Store, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::NewerLayout { found }) = &result
            && self.newer.swap(found.number(), Ordering::Relaxed) == 0
        {
            store.stop_writing();
            tracing::error!(
                found = found.number(),
                "a newer version of sgsend has upgraded the storage: this server writes nothing any more; update it"
            );
        }
        result
    }

    fn known(&self) -> Result<(), StoreError> {
        match self.newer.load(Ordering::Relaxed) {
            0 => Ok(()),
            found => Err(StoreError::NewerLayout { found: LayoutVersion::new(found) }),
        }
    }

    /// Looks at the header of `store`, unless the last look is recent enough.
    async fn check(&self, store: &dyn Store) -> Result<(), StoreError> {
        let is_recent = |at: &Option<Instant>| at.is_some_and(|at| at.elapsed() < LAYOUT_CHECK_INTERVAL);
        self.known()?;
        if is_recent(&*self.checked_at.read().await) {
            return self.known();
        }
        // One request looks, the others wait for what it finds.
        let mut checked_at = self.checked_at.write().await;
        if is_recent(&checked_at) {
            return self.known();
        }
        let now = Instant::now();
        let header = store.get(&StorageKey::header()).await?;
        self.note(store, header.map_or(Ok(()), |header| LayoutVersion::check_stored(&header.value)))?;
        *checked_at = Some(now);
        Ok(())
    }
}

impl LayoutGuard {
    /// Guards `store`, whose header was read just now.
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        let state = GuardState { checked_at: RwLock::new(Some(Instant::now())), ..GuardState::default() };
        Self { store, state: Arc::new(state) }
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.state.check(&*self.store).await
    }

    fn note<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.state.note(&*self.store, result)
    }
}

impl fmt::Debug for LayoutGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl Records for LayoutGuard {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        let found = self.store.get(key).await?;
        if *key == StorageKey::header() {
            // The reader of the header decides what a newer version means for it.
            drop(self.note(found.as_ref().map_or(Ok(()), |header| LayoutVersion::check_stored(&header.value))));
        }
        Ok(found)
    }

    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        self.store.keys(prefix, after, limit).await
    }

    async fn get_all(&self, keys: &[StorageKey]) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        self.store.get_all(keys).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<super::Listed<(StorageKey, Bytes)>, StoreError> {
        self.store.list(prefix, after, limit).await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        self.check().await?;
        self.note(self.store.commit(commit).await)
    }
}

#[async_trait]
impl Payloads for LayoutGuard {
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError> {
        self.store.received(id).await
    }

    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        self.check().await?;
        let writer = self.store.writer(id, offset).await?;
        Ok(Box::new(GuardedWriter { writer, store: Arc::clone(&self.store), state: Arc::clone(&self.state) }))
    }

    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError> {
        self.check().await?;
        self.store.finish(id, size).await
    }

    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        self.store.read(id, range).await
    }

    async fn remove(&self, id: PayloadId) -> Result<(), StoreError> {
        self.check().await?;
        self.store.remove(id).await
    }

    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        self.store.list_stored(after, limit).await
    }
}

#[async_trait]
impl Store for LayoutGuard {
    async fn check_guarantees(&self, key: &StorageKey) -> Result<(), StoreError> {
        self.store.check_guarantees(key).await
    }

    fn stop_writing(&self) {
        self.store.stop_writing();
    }

    fn cleanup_concurrency(&self) -> usize {
        self.store.cleanup_concurrency()
    }

    fn counter_delay(&self) -> Duration {
        self.store.counter_delay()
    }

    async fn probe_payloads(&self) -> Result<(), PayloadProbeError> {
        self.check().await.map_err(PayloadProbeError::Write)?;
        self.store.probe_payloads().await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.check().await?;
        self.store.flush().await
    }

    async fn free_space(&self) -> Result<Option<FreeSpace>, StoreError> {
        self.store.free_space().await
    }

    fn space(&self) -> SpaceReading {
        self.store.space()
    }

    async fn measure_space(&self) {
        self.store.measure_space().await;
    }

    fn presigner(&self) -> Option<&dyn Presigner> {
        self.store.presigner()
    }
}

/// Writer that refuses further bytes once the layout is newer than this program.
struct GuardedWriter {
    writer: Box<dyn PayloadWriter>,
    store: Arc<dyn Store>,
    state: Arc<GuardState>,
}

#[async_trait]
impl PayloadWriter for GuardedWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.state.check(&*self.store).await?;
        self.writer.write(bytes).await
    }

    async fn close(self: Box<Self>) -> Result<u64, StoreError> {
        self.writer.close().await
    }

    async fn discard(self: Box<Self>) -> Result<(), StoreError> {
        self.writer.discard().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Condition, MemoryStore};
    use super::*;

    async fn set_header(store: &MemoryStore, header: &'static str) {
        let key = StorageKey::header();
        let condition = store.get(&key).await.unwrap().map_or(Condition::Absent, |found| Condition::Is(found.version));
        store
            .commit(Commit::of(Change { key, condition, value: Bytes::from_static(header.as_bytes()) }))
            .await
            .unwrap();
    }

    fn is_refused<T>(result: &Result<T, StoreError>) -> bool {
        matches!(result, Err(StoreError::NewerLayout { found }) if found.number() == 5)
    }

    #[tokio::test]
    async fn no_writer_writes_to_an_upgraded_store() {
        let memory = MemoryStore::default();
        set_header(&memory, r#"{"v":2,"retain_audit_s":1}"#).await;
        let guard = LayoutGuard::over(Arc::new(memory.clone()));
        let id = PayloadId::random();
        let mut writer = guard.writer(id, 0).await.unwrap();
        writer.write(Bytes::from_static(b"abc")).await.unwrap();
        guard.get(&StorageKey::header()).await.unwrap().unwrap();
        writer.write(Bytes::new()).await.unwrap();
        set_header(&memory, r#"{"v":5}"#).await;
        guard.get(&StorageKey::header()).await.unwrap().unwrap();
        assert!(is_refused(&writer.write(Bytes::from_static(b"d")).await));
        assert!(is_refused(&guard.commit(Commit::default()).await));
        assert!(is_refused(&guard.writer(PayloadId::random(), 0).await));
        assert!(is_refused(&guard.finish(id, 3).await));
        assert!(is_refused(&guard.remove(id).await));
        assert!(is_refused(&guard.flush().await));
        assert_eq!(guard.received(id).await.unwrap(), 3, "reads go on");
    }

    #[tokio::test]
    async fn a_write_looks_again_once_the_last_look_is_old() {
        let memory = MemoryStore::default();
        set_header(&memory, r#"{"v":5}"#).await;
        let guard = LayoutGuard::over(Arc::new(memory));
        guard.commit(Commit::default()).await.unwrap();
        let old = Instant::now().checked_sub(LAYOUT_CHECK_INTERVAL).unwrap();
        *guard.state.checked_at.write().await = Some(old);
        assert!(is_refused(&guard.commit(Commit::default()).await));
    }
}
