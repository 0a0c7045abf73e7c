//! In-memory store: the reference implementation, lost when the process ends.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Bound;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use super::{
    Commit, Condition, Listed, PayloadObjects, PayloadStream, PayloadWriter, Payloads, Prefix, Records, StorageKey,
    Store, StoreError, Version, Versioned, to_json,
};
use crate::domain::id::PayloadId;
use crate::domain::stats::DayStats;

/// In-memory store behind one lock; critical sections are short and never wait.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    objects: BTreeMap<String, (Bytes, u64)>,
    payloads: BTreeMap<PayloadId, StoredPayload>,
    writes: u64,
}

#[derive(Debug, Default)]
struct StoredPayload {
    /// Distinguishes this payload from a later payload of the same transfer, created after a removal.
    serial: u64,
    chunks: Vec<Bytes>,
    length: u64,
    finished: bool,
    writer: bool,
}

impl MemoryStore {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

impl Contents {
    fn put(&mut self, key: String, value: Bytes) -> u64 {
        self.writes += 1;
        self.objects.insert(key, (value, self.writes));
        self.writes
    }

    fn holds(&self, key: &StorageKey, condition: &Condition) -> bool {
        let found = self.objects.get(key.as_str());
        match condition {
            Condition::Absent => found.is_none(),
            Condition::Is(version) => found.is_some_and(|(_, at)| at.to_string() == version.0),
        }
    }

    fn list_under(&self, prefix: &Prefix, after: Option<&StorageKey>, limit: usize) -> Vec<(StorageKey, Bytes)> {
        let start = match after {
            Some(key) if key.as_str() >= prefix.as_str() => Bound::Excluded(key.as_str()),
            _ => Bound::Included(prefix.as_str()),
        };
        self.objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix.as_str()))
            .take(limit)
            .map(|(key, (value, _))| (StorageKey::from_backend(key.clone()), value.clone()))
            .collect()
    }

    /// Returns the payload of a writer; `None` if the payload was removed since.
    fn opened_by(&mut self, writer: &MemoryWriter) -> Option<&mut StoredPayload> {
        self.payloads.get_mut(&writer.id).filter(|payload| payload.serial == writer.serial)
    }

    fn latest_stats(&self) -> Result<Option<DayStats>, StoreError> {
        let all = StorageKey::all_stats();
        let latest = self.objects.range(all.as_str().to_owned()..).take_while(|(key, _)| key.starts_with(all.as_str()));
        latest.last().map(|(key, (value, _))| DayStats::parse(key, value)).transpose()
    }
}

#[async_trait]
impl Records for MemoryStore {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        let contents = self.contents();
        let found = contents.objects.get(key.as_str());
        Ok(found.map(|(value, at)| Versioned { value: value.clone(), version: Version(at.to_string()) }))
    }

    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        Ok(self.contents().list_under(prefix, after, limit).into_iter().map(|(key, _)| key).collect())
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Listed<(StorageKey, Bytes)>, StoreError> {
        let found = self.contents().list_under(prefix, after, limit.saturating_add(1));
        Ok(Listed::of(found, limit, |(key, _)| key.clone()))
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        let mut contents = self.contents();
        if commit.change.as_ref().is_some_and(|change| !contents.holds(&change.key, &change.condition)) {
            return Err(StoreError::Conflict);
        }
        let stats = match &commit.counter_delta {
            Some(counter_delta) => Some(DayStats::after(contents.latest_stats()?, counter_delta)),
            None => None,
        };
        for entry in commit.schedule {
            contents.put(entry.as_str().to_owned(), Bytes::new());
        }
        let version = commit.change.map(|change| contents.put(change.key.as_str().to_owned(), change.value));
        for (key, value) in commit.records {
            if !contents.objects.contains_key(key.as_str()) {
                contents.put(key.as_str().to_owned(), value);
            }
        }
        if let Some(stats) = stats {
            contents.put(StorageKey::stats(&stats.day).as_str().to_owned(), to_json(&stats));
        }
        for key in commit.removals {
            contents.objects.remove(key.as_str());
        }
        Ok(version.map(|version| Version(version.to_string())))
    }
}

#[async_trait]
impl Payloads for MemoryStore {
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError> {
        Ok(self.contents().payloads.get(&id).map_or(0, |payload| payload.length))
    }

    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        let mut contents = self.contents();
        let (length, finished) = contents.payloads.get(&id).map_or((0, false), |found| (found.length, found.finished));
        if contents.payloads.get(&id).is_some_and(|payload| payload.writer) {
            return Err(StoreError::WriterBusy);
        }
        if finished || length != offset {
            return Err(StoreError::OffsetMismatch { received_bytes: length });
        }
        contents.writes += 1;
        let serial = contents.writes;
        let payload =
            contents.payloads.entry(id).or_insert_with(|| StoredPayload { serial, ..StoredPayload::default() });
        payload.writer = true;
        Ok(Box::new(MemoryWriter {
            store: self.clone(),
            id,
            serial: payload.serial,
            chunks_before: payload.chunks.len(),
            start: offset,
        }))
    }

    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError> {
        let mut contents = self.contents();
        let Some(payload) = contents.payloads.get_mut(&id) else { return Ok(0) };
        if payload.writer {
            return Err(StoreError::WriterBusy);
        }
        payload.finished |= payload.length == size;
        Ok(payload.length)
    }

    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        let contents = self.contents();
        let covers = |length| range.start <= range.end && range.end <= length;
        let payload = contents.payloads.get(&id).filter(|payload| payload.finished && covers(payload.length));
        let mut position = 0;
        let mut slices = Vec::new();
        let payload = payload.ok_or(StoreError::NoPayload)?;
        for (index, chunk) in payload.chunks.iter().enumerate() {
            let end = position + chunk.len() as u64;
            let (from, to) = (range.start.max(position), range.end.min(end));
            if from < to {
                let within = |at: u64| usize::try_from(at - position).expect("an offset into a chunk in memory");
                slices.push((index, within(from)..within(to)));
            }
            position = end;
        }
        // Readers keep no reference to the chunks, so removing a payload frees its memory at once.
        let (store, serial) = (self.clone(), payload.serial);
        let chunk = move |(index, within): (usize, Range<usize>)| {
            let contents = store.contents();
            let payload = contents.payloads.get(&id).filter(|payload| payload.serial == serial);
            payload.map(|payload| payload.chunks[index].slice(within)).ok_or_else(|| ErrorKind::NotFound.into())
        };
        Ok(Box::pin(stream::iter(slices.into_iter().map(chunk))))
    }

    async fn remove(&self, id: PayloadId) -> Result<(), StoreError> {
        self.contents().payloads.remove(&id);
        Ok(())
    }

    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let contents = self.contents();
        let payloads = contents.payloads.range((start, Bound::Unbounded)).take(limit);
        let payload_objects = |(id, payload): (&PayloadId, &StoredPayload)| PayloadObjects {
            id: *id,
            finished: payload.finished,
            unfinished: !payload.finished,
        };
        Ok(payloads.map(payload_objects).collect())
    }
}

impl Store for MemoryStore {}

struct MemoryWriter {
    store: MemoryStore,
    id: PayloadId,
    serial: u64,
    chunks_before: usize,
    start: u64,
}

#[async_trait]
impl PayloadWriter for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let mut contents = self.store.contents();
        let payload = contents.opened_by(self).ok_or(StoreError::NoPayload)?;
        payload.length += bytes.len() as u64;
        payload.chunks.push(bytes);
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<u64, StoreError> {
        self.store.received(self.id).await
    }

    async fn discard(self: Box<Self>) -> Result<(), StoreError> {
        if let Some(payload) = self.store.contents().opened_by(&self) {
            payload.chunks.truncate(self.chunks_before);
            payload.length = self.start;
        }
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        if let Some(payload) = self.store.contents().opened_by(self) {
            payload.writer = false;
        }
    }
}
