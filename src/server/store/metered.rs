//! A store that counts and times the operations of another one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;

use crate::domain::id::PayloadId;
use crate::domain::limits::free_space::{FreeSpace, SpaceReading};
use crate::domain::store::{
    Commit, Listed, PayloadObjects, PayloadProbeError, PayloadStream, PayloadWriter, Payloads, Prefix, Presigner,
    Records, StorageKey, Store, StoreError, Version, Versioned,
};
use crate::server::metrics::{StoreMetrics, StoreOperation};

/// Store whose operations are measured.
pub(in crate::server) struct MeteredStore {
    inner: Arc<dyn Store>,
    metrics: StoreMetrics,
}

impl MeteredStore {
    /// Wraps a store.
    pub(in crate::server) fn over(inner: Arc<dyn Store>, metrics: StoreMetrics) -> Self {
        Self { inner, metrics }
    }
}

impl fmt::Debug for MeteredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Records for MeteredStore {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        self.metrics.measure(StoreOperation::Get, self.inner.get(key)).await
    }

    async fn keys(&self, of: &Prefix, after: Option<&StorageKey>, limit: usize) -> Result<Vec<StorageKey>, StoreError> {
        self.metrics.measure(StoreOperation::List, self.inner.keys(of, after, limit)).await
    }

    async fn get_all(&self, keys: &[StorageKey]) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        self.metrics.measure(StoreOperation::List, self.inner.get_all(keys)).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Listed<(StorageKey, Bytes)>, StoreError> {
        self.metrics.measure(StoreOperation::List, self.inner.list(prefix, after, limit)).await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        self.metrics.measure(StoreOperation::Commit, self.inner.commit(commit)).await
    }
}

#[async_trait]
impl Payloads for MeteredStore {
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError> {
        self.metrics.measure(StoreOperation::PayloadLength, self.inner.received(id)).await
    }

    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        let writer = self.metrics.measure(StoreOperation::PayloadOpen, self.inner.writer(id, offset)).await?;
        Ok(Box::new(MeteredWriter { inner: writer, metrics: self.metrics.clone() }))
    }

    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError> {
        self.metrics.measure(StoreOperation::PayloadFinish, self.inner.finish(id, size)).await
    }

    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        let stream = self.metrics.measure(StoreOperation::PayloadRead, self.inner.read(id, range)).await?;
        let metrics = self.metrics.clone();
        let count_failure = move |block: &std::io::Result<Bytes>| {
            // The payload of a transfer that ends is removed under its readers.
            if block.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {
                metrics.count_late_failure(StoreOperation::PayloadRead);
            }
        };
        Ok(stream.inspect(count_failure).boxed())
    }

    async fn remove(&self, id: PayloadId) -> Result<(), StoreError> {
        self.metrics.measure(StoreOperation::PayloadRemove, self.inner.remove(id)).await
    }

    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        self.metrics.measure(StoreOperation::PayloadList, self.inner.list_stored(after, limit)).await
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn check_guarantees(&self, key: &StorageKey) -> Result<(), StoreError> {
        self.inner.check_guarantees(key).await
    }

    fn stop_writing(&self) {
        self.inner.stop_writing();
    }

    fn cleanup_concurrency(&self) -> usize {
        self.inner.cleanup_concurrency()
    }

    fn counter_delay(&self) -> Duration {
        self.inner.counter_delay()
    }

    async fn probe_payloads(&self) -> Result<(), PayloadProbeError> {
        self.inner.probe_payloads().await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.metrics.measure(StoreOperation::Commit, self.inner.flush()).await
    }

    async fn free_space(&self) -> Result<Option<FreeSpace>, StoreError> {
        self.inner.free_space().await
    }

    fn space(&self) -> SpaceReading {
        self.inner.space()
    }

    async fn measure_space(&self) {
        self.inner.measure_space().await;
    }

    fn presigner(&self) -> Option<&dyn Presigner> {
        self.inner.presigner()
    }
}

/// Writer whose operations are measured.
struct MeteredWriter {
    inner: Box<dyn PayloadWriter>,
    metrics: StoreMetrics,
}

#[async_trait]
impl PayloadWriter for MeteredWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.metrics.measure(StoreOperation::PayloadWrite, self.inner.write(bytes)).await
    }

    async fn close(self: Box<Self>) -> Result<u64, StoreError> {
        self.metrics.measure(StoreOperation::PayloadWrite, self.inner.close()).await
    }

    async fn discard(self: Box<Self>) -> Result<(), StoreError> {
        self.metrics.measure(StoreOperation::PayloadWrite, self.inner.discard()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::store::{Change, Condition, FaultInjector, FaultyStore};
    use crate::domain::timestamp::Timestamp;
    use crate::server::DroppedLines;
    use crate::server::metrics::{Metrics, ProcessInfo};

    fn over(store: FaultyStore) -> (Metrics, MeteredStore) {
        let (started_at, dropped_lines) = (Timestamp::from_millis(0), &DroppedLines::default());
        let metrics = Metrics::new(&ProcessInfo { storage: "memory", started_at, dropped_lines });
        let store = MeteredStore::over(Arc::new(store), metrics.store.clone());
        (metrics, store)
    }

    fn count(metrics: &Metrics, operation: &str, outcome: &str) -> String {
        let text = metrics.to_text();
        let labels = format!("{{operation=\"{operation}\",outcome=\"{outcome}\"}} ");
        let counted = text.lines().find_map(|line| line.split_once(&labels).map(|(_, count)| count.to_owned()));
        counted.unwrap_or_else(|| panic!("no {operation} {outcome}: {text}"))
    }

    #[tokio::test]
    async fn operations_are_counted_by_outcome() {
        let (metrics, store) = over(FaultyStore::default());
        let key = StorageKey::header();
        let create = || Commit::of(Change { key: key.clone(), condition: Condition::Absent, value: Bytes::new() });
        store.commit(create()).await.unwrap();
        store.commit(create()).await.unwrap_err();
        store.get(&key).await.unwrap();
        let id = PayloadId::random();
        let mut writer = store.writer(id, 0).await.unwrap();
        writer.write(Bytes::from_static(b"abc")).await.unwrap();
        assert_eq!(writer.close().await.unwrap(), 3);
        drop(store.read(id, 0..1).await.map(drop).unwrap_err());
        for (operation, outcome, expected) in [
            ("commit", "ok", "1"),
            ("commit", "rejected", "1"),
            ("get", "ok", "1"),
            ("payload_open", "ok", "1"),
            ("payload_write", "ok", "2"),
            ("payload_read", "rejected", "1"),
            ("get", "failed", "0"),
        ] {
            assert_eq!(count(&metrics, operation, outcome), expected, "{operation} {outcome}");
        }
        let (metrics, store) = over(FaultyStore::default().with(FaultInjector::failing_after(0)));
        store.get(&key).await.unwrap_err();
        assert_eq!(count(&metrics, "get", "failed"), "1");
    }
}
