//! A store for tests that fails or delays operations, counts them, and can offer presigned requests.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Commit, MemoryStore, PayloadObjects, PayloadProbeError, PayloadStream, PayloadWriter, Payloads, Prefix, Presigner,
    Records, StorageKey, Store, StoreError, Version, Versioned,
};
use crate::domain::id::PayloadId;
use crate::domain::limits::free_space::SpaceReading;

/// An in-memory store that passes each operation through a [`FaultInjector`].
#[derive(Default)]
pub(crate) struct FaultyStore {
    memory: MemoryStore,
    injector: Arc<FaultInjector>,
    presigner: Option<Arc<dyn Presigner>>,
    space: SpaceReading,
    counter_delay: Duration,
    commits: AtomicU64,
    header_reads: AtomicU64,
}

impl FaultyStore {
    /// Wraps `memory`, which the caller can use without faults.
    pub(crate) fn over(memory: MemoryStore) -> Self {
        Self { memory, ..Self::default() }
    }

    /// Sets the faults.
    pub(crate) fn with(self, injector: FaultInjector) -> Self {
        Self { injector: Arc::new(injector), ..self }
    }

    /// Returns the number of operations so far; each object read is one.
    pub(crate) fn operations(&self) -> u64 {
        self.injector.operations()
    }

    /// Returns the number of commits so far.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Returns the number of reads of the store header so far.
    pub(crate) fn header_reads(&self) -> u64 {
        self.header_reads.load(Ordering::Relaxed)
    }

    /// Reports this free space.
    pub(crate) fn with_space(self, space: SpaceReading) -> Self {
        Self { space, ..self }
    }

    /// Claims to write counters up to this time after their commits.
    pub(crate) fn with_counter_delay(self, counter_delay: Duration) -> Self {
        Self { counter_delay, ..self }
    }

    /// Offers presigned requests.
    pub(crate) fn with_presigner(self, presigner: Arc<dyn Presigner>) -> Self {
        Self { presigner: Some(presigner), ..self }
    }
}

/// Faults of a [`FaultyStore`]: by default none.
#[derive(Default)]
pub(crate) struct FaultInjector {
    /// Number of operations so far.
    operations: AtomicU64,
    /// Number of operations that succeed; all later operations fail, as after the kill of the process.
    successes: Option<u64>,
    /// Numbers of the operations that fail.
    failing: Range<u64>,
    /// Whether no commit finds space; payloads can be removed.
    full: Arc<AtomicBool>,
    /// Returns the delay before an operation, and the delay of its result.
    delay: Option<fn() -> Duration>,
}

impl FaultInjector {
    /// Fails all operations after the first `successes`.
    pub(crate) fn failing_after(successes: u64) -> Self {
        Self { successes: Some(successes), ..Self::default() }
    }

    /// Fails the operations with these numbers; the first is 0.
    pub(crate) fn failing_within(failing: Range<u64>) -> Self {
        Self { failing, ..Self::default() }
    }

    /// Fails all commits as a full store while `full` is set.
    pub(crate) fn full_while(full: Arc<AtomicBool>) -> Self {
        Self { full, ..Self::default() }
    }

    /// Delays each operation and its result.
    pub(crate) fn delaying(self, delay: fn() -> Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }

    /// Returns the number of operations so far.
    pub(crate) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    async fn run<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        if self.successes.is_some_and(|successes| number >= successes) || self.failing.contains(&number) {
            return Err(StoreError::unavailable("an injected fault"));
        }
        self.wait().await;
        let result = operation.await;
        self.wait().await;
        result
    }

    async fn wait(&self) {
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay()).await;
        }
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FaultyStore").field("operations", &self.injector.operations).finish_non_exhaustive()
    }
}

#[async_trait]
impl Records for FaultyStore {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        self.header_reads.fetch_add(u64::from(*key == StorageKey::header()), Ordering::Relaxed);
        self.injector.run(self.memory.get(key)).await
    }

    async fn keys(&self, of: &Prefix, after: Option<&StorageKey>, limit: usize) -> Result<Vec<StorageKey>, StoreError> {
        self.injector.run(self.memory.keys(of, after, limit)).await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        if self.injector.full.load(Ordering::Relaxed) {
            return Err(StoreError::Full);
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.injector.run(self.memory.commit(commit)).await
    }
}

#[async_trait]
impl Payloads for FaultyStore {
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError> {
        self.injector.run(self.memory.received(id)).await
    }

    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        let writer = self.injector.run(self.memory.writer(id, offset)).await?;
        Ok(Box::new(FaultyWriter { writer, injector: self.injector.clone() }))
    }

    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError> {
        self.injector.run(self.memory.finish(id, size)).await
    }

    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        self.injector.run(self.memory.read(id, range)).await
    }

    async fn remove(&self, id: PayloadId) -> Result<(), StoreError> {
        self.injector.run(self.memory.remove(id)).await
    }

    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        self.injector.run(self.memory.list_stored(after, limit)).await
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn probe_payloads(&self) -> Result<(), PayloadProbeError> {
        self.injector.run(async { Ok(()) }).await.map_err(PayloadProbeError::Write)
    }

    fn space(&self) -> SpaceReading {
        self.space
    }

    fn counter_delay(&self) -> Duration {
        self.counter_delay
    }

    fn presigner(&self) -> Option<&dyn Presigner> {
        self.presigner.as_deref()
    }
}

struct FaultyWriter {
    writer: Box<dyn PayloadWriter>,
    injector: Arc<FaultInjector>,
}

#[async_trait]
impl PayloadWriter for FaultyWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.injector.run(self.writer.write(bytes)).await
    }

    async fn close(self: Box<Self>) -> Result<u64, StoreError> {
        self.injector.run(self.writer.close()).await
    }

    async fn discard(self: Box<Self>) -> Result<(), StoreError> {
        self.injector.run(self.writer.discard()).await
    }
}
