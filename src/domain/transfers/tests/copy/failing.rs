//! Store that fails after a given number of calls, like after the kill of its process.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::domain::store::{PayloadObjects, PayloadStream, PayloadWriter, Version, Versioned};

#[derive(Debug)]
pub(super) struct FailingStore {
    memory: MemoryStore,
    left: Arc<AtomicI64>,
}

impl FailingStore {
    pub(super) fn after(calls: i64, memory: MemoryStore) -> Self {
        Self { memory, left: Arc::new(AtomicI64::new(calls)) }
    }
}

fn count(left: &AtomicI64) -> Result<(), StoreError> {
    let alive = left.fetch_sub(1, Ordering::Relaxed) > 0;
    if alive { Ok(()) } else { Err(StoreError::unavailable("the process was killed")) }
}

#[async_trait]
impl Records for FailingStore {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        count(&self.left)?;
        self.memory.get(key).await
    }

    async fn keys(&self, of: &Prefix, after: Option<&StorageKey>, limit: usize) -> Result<Vec<StorageKey>, StoreError> {
        count(&self.left)?;
        self.memory.keys(of, after, limit).await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        count(&self.left)?;
        self.memory.commit(commit).await
    }
}

#[async_trait]
impl Payloads for FailingStore {
    async fn received(&self, id: TransferId) -> Result<u64, StoreError> {
        count(&self.left)?;
        self.memory.received(id).await
    }

    async fn writer(&self, id: TransferId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        count(&self.left)?;
        Ok(Box::new(FailingWriter { writer: self.memory.writer(id, offset).await?, left: self.left.clone() }))
    }

    async fn finish(&self, id: TransferId, size: u64) -> Result<u64, StoreError> {
        count(&self.left)?;
        self.memory.finish(id, size).await
    }

    async fn read(&self, id: TransferId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        count(&self.left)?;
        self.memory.read(id, range).await
    }

    async fn remove(&self, id: TransferId) -> Result<(), StoreError> {
        count(&self.left)?;
        self.memory.remove(id).await
    }

    async fn list_stored(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        count(&self.left)?;
        self.memory.list_stored(after, limit).await
    }
}

impl Store for FailingStore {}

struct FailingWriter {
    writer: Box<dyn PayloadWriter>,
    left: Arc<AtomicI64>,
}

#[async_trait]
impl PayloadWriter for FailingWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        count(&self.left)?;
        self.writer.write(bytes).await
    }

    async fn close(self: Box<Self>) -> Result<u64, StoreError> {
        count(&self.left)?;
        self.writer.close().await
    }

    async fn discard(self: Box<Self>) -> Result<(), StoreError> {
        count(&self.left)?;
        self.writer.discard().await
    }
}
