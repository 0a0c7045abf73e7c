//! A server's access to the shared store, with injected faults.
//!
//! Each operation gives way to other tasks before it takes effect, and again before its answer arrives.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;

use super::world::{Access, InjectedFault, World};
use crate::domain::id::PayloadId;
use crate::domain::store::{
    Change, Commit, Condition, MemoryStore, PayloadObjects, PayloadStream, PayloadWriter, Payloads, Prefix, Presigner,
    Records, SignedRequest, StorageKey, Store, StoreError, Version, Versioned,
};
use crate::domain::transfer::PartPlan;

/// Store of one server, until the server crashes.
#[derive(Clone, Debug)]
pub(super) struct SharedStore {
    pub(super) world: Arc<World>,
    pub(super) server: usize,
    pub(super) generation: u32,
}

/// Returns the output of an operation of the store in memory, which never waits.
pub(super) fn at_once<T>(operation: impl Future<Output = T>) -> T {
    operation.now_or_never().expect("operations of the store in memory never wait")
}

fn injected() -> StoreError {
    StoreError::unavailable("an injected fault")
}

impl SharedStore {
    async fn turn(&self) {
        self.world.turn(self.server, self.generation).await;
    }

    fn memory(&self) -> &MemoryStore {
        &self.world.memory
    }

    fn note(&self, text: impl FnOnce() -> String) {
        self.world.note(|| format!("  server {}: {}", self.server, text()));
    }

    async fn run<T>(
        &self,
        access: Access,
        name: impl Fn() -> String,
        operation: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.turn().await;
        let fault = self.world.choose_fault(access);
        if fault == InjectedFault::Error {
            self.note(|| format!("{} fails", name()));
            return Err(injected());
        }
        let result = operation();
        self.note(|| format!("{}{}", name(), if result.is_err() { " is rejected" } else { "" }));
        self.turn().await;
        if fault == InjectedFault::LostAnswer && result.is_ok() {
            self.note(|| format!("{} has lost its answer", name()));
            return Err(injected());
        }
        result
    }

    /// Applies one part of a commit, which takes effect as a whole.
    async fn apply(&self, part: Commit) -> Result<Option<Version>, StoreError> {
        let conditional = part.change.as_ref().is_some_and(|change| matches!(change.condition, Condition::Is(_)));
        let access = if conditional { Access::Swap } else { Access::Write };
        self.turn().await;
        let fault = self.world.choose_fault(access);
        match (fault, &part.change) {
            (InjectedFault::Error, _) => {
                self.note(|| format!("{} fails", summary(&part)));
                return Err(injected());
            }
            (InjectedFault::Conflict, Some(change)) => self.touch(change),
            _ => {}
        }
        let before = part.change.as_ref().and_then(|change| at_once(self.memory().get(&change.key)).ok().flatten());
        let is_new = |key: &StorageKey| matches!(at_once(self.memory().get(key)), Ok(None));
        let records = part.records.iter().filter(|(key, _)| is_new(key)).cloned().collect();
        let result = at_once(self.memory().commit(part.clone()));
        self.note(|| format!("{}{}", summary(&part), if result.is_err() { ": conflict" } else { "" }));
        if result.is_ok() {
            // Records that existed before are not written again.
            let written = Commit { records, ..part.clone() };
            self.world.state().observe(self.memory(), before.map(|found| found.value).as_ref(), &written);
        }
        self.turn().await;
        if fault == InjectedFault::LostAnswer && result.is_ok() {
            self.note(|| format!("{} has lost its answer", summary(&part)));
            return Err(injected());
        }
        result
    }

    fn count_torn(&self, is_torn: bool) {
        self.world.state().counts.torn_commits += u64::from(is_torn);
    }

    /// Writes the object of `change` again, so that its version differs.
    fn touch(&self, change: &Change) {
        if let Ok(Some(found)) = at_once(self.memory().get(&change.key)) {
            let same = Change { key: change.key.clone(), condition: Condition::Is(found.version), value: found.value };
            drop(at_once(self.memory().commit(Commit::of(same))));
        }
    }
}

/// Describes a commit for the trace.
fn summary(commit: &Commit) -> String {
    let keys = |keys: &[StorageKey]| keys.iter().map(StorageKey::as_str).collect::<Vec<_>>().join(" ");
    let mut parts = vec!["commit".to_owned()];
    parts.extend(commit.change.as_ref().map(|change| {
        let text = String::from_utf8_lossy(&change.value);
        format!("{} {}", change.key, text)
    }));
    if !commit.schedule.is_empty() {
        parts.push(format!("schedule {}", keys(&commit.schedule)));
    }
    if !commit.records.is_empty() {
        let records: Vec<_> = commit.records.iter().map(|(key, _)| key.clone()).collect();
        parts.push(format!("records {}", keys(&records)));
    }
    if !commit.removals.is_empty() {
        parts.push(format!("remove {}", keys(&commit.removals)));
    }
    parts.join(", ")
}

#[async_trait]
impl Records for SharedStore {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        self.run(Access::Read, || format!("get {key}"), || at_once(self.memory().get(key))).await
    }

    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        let name = || format!("keys {}", prefix.as_str());
        self.run(Access::Read, name, || at_once(self.memory().keys(prefix, after, limit))).await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        if self.world.plan.transactions {
            return self.apply(commit).await;
        }
        // Like in a bucket: schedule entries, then the change with its records, then removals.
        let Commit { schedule, change, records, counter_delta, removals, may_use_reserve: _ } = commit;
        let is_scheduled = !schedule.is_empty();
        if is_scheduled {
            self.apply(Commit { schedule, ..Commit::default() }).await?;
        }
        let changes = change.is_some();
        let mut version = None;
        if changes || !records.is_empty() {
            let applied = self.apply(Commit { change, records, counter_delta, ..Commit::default() }).await;
            self.count_torn(is_scheduled && applied.is_err());
            version = applied?;
        }
        if !removals.is_empty() {
            let removed = self.apply(Commit { removals, ..Commit::default() }).await;
            self.count_torn(changes && removed.is_err());
            if !changes {
                removed?;
            }
        }
        Ok(version)
    }
}

#[async_trait]
impl Payloads for SharedStore {
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError> {
        self.run(Access::Read, || format!("received {id}"), || at_once(self.memory().received(id))).await
    }

    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        let name = || format!("writer {id} at {offset}");
        let writer = self.run(Access::Read, name, || at_once(self.memory().writer(id, offset))).await?;
        Ok(Box::new(SharedWriter { writer, store: self.clone(), id }))
    }

    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError> {
        self.run(Access::Write, || format!("finish {id}"), || at_once(self.memory().finish(id, size))).await
    }

    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        self.run(Access::Read, || format!("read {id}"), || at_once(self.memory().read(id, range))).await
    }

    async fn remove(&self, id: PayloadId) -> Result<(), StoreError> {
        let remove = || {
            self.world.state().observe_removal(self.memory(), id);
            at_once(self.memory().remove(id))
        };
        self.run(Access::Write, || format!("remove the payload of {id}"), remove).await
    }

    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        self.run(Access::Read, || "list payloads".to_owned(), || at_once(self.memory().list_stored(after, limit))).await
    }
}

impl Store for SharedStore {
    fn presigner(&self) -> Option<&dyn Presigner> {
        self.world.plan.presigns.then_some(self as &dyn Presigner)
    }
}

impl SharedStore {
    fn sign(&self, method: &str, id: PayloadId, lifetime: Duration) -> SignedRequest {
        let expires_at = self.world.state().clock_of(self.server).plus(lifetime);
        SignedRequest { method: method.to_owned(), url: id.to_string(), headers: [].into(), expires_at }
    }
}

#[async_trait]
impl Presigner for SharedStore {
    async fn put(&self, id: PayloadId, _: u64, lifetime: Duration) -> Result<SignedRequest, StoreError> {
        self.run(Access::Read, || format!("sign an upload of {id}"), || Ok(self.sign("PUT", id, lifetime))).await
    }

    async fn parts(&self, _: PayloadId, _: PartPlan, _: &[u32], _: Duration) -> Result<Vec<SignedRequest>, StoreError> {
        Err(StoreError::unavailable("the payloads of a simulation are too small for parts"))
    }

    async fn received_parts(&self, _: PayloadId) -> Result<Vec<u32>, StoreError> {
        Ok(Vec::new())
    }

    async fn get(&self, id: PayloadId, lifetime: Duration) -> Result<SignedRequest, StoreError> {
        self.run(Access::Read, || format!("sign a download of {id}"), || Ok(self.sign("GET", id, lifetime))).await
    }
}

struct SharedWriter {
    writer: Box<dyn PayloadWriter>,
    store: SharedStore,
    id: PayloadId,
}

#[async_trait]
impl PayloadWriter for SharedWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let (id, length) = (self.id, bytes.len());
        let write = || at_once(self.writer.write(bytes));
        self.store.run(Access::Read, || format!("write {length} bytes of {id}"), write).await
    }

    async fn close(self: Box<Self>) -> Result<u64, StoreError> {
        let Self { writer, store, id } = *self;
        store.run(Access::Write, || format!("close the writer of {id}"), || at_once(writer.close())).await
    }

    async fn discard(self: Box<Self>) -> Result<(), StoreError> {
        let Self { writer, store, id } = *self;
        store.run(Access::Write, || format!("discard what was written of {id}"), || at_once(writer.discard())).await
    }
}
