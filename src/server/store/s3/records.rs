//! Small objects that change by conditional writes.
//!
//! A commit puts its hints, then writes the one object that decides, then puts its records. The object carries them in
//! its outbox, so that a writer that ends in between loses none: whoever writes the object next puts them first, and
//! so does who reads it some time later.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::S3Store;
use super::bucket::{NO_ETAG, Only, PutError};
use super::stored::{Known, WriteId, WriteLog};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::error::chain;
use crate::domain::store::{
    Backoff, Change, Commit, Condition, Prefix, Records, StorageKey, StoreError, Version, Versioned,
};

/// The longest pause before a request is made for the second time, and between any two of them.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Requests that one call makes at once.
const AT_ONCE: usize = 32;

#[async_trait]
impl Records for S3Store {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        let Some(found) = self.bucket().get(key).await? else { return Ok(None) };
        if let Some(trail) = &found.known.trail
            && SystemClock.now().since(trail.at) >= self.0.writers_time
            && let Err(error) = self.settle(trail).await
        {
            tracing::warn!(error = %chain(&error), "records of an earlier write could not be put yet");
        }
        Ok(Some(Versioned { value: found.content, version: found.known.to_version() }))
    }

    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        let prefix = prefix.as_str();
        // Not every server takes a place that is not under the prefix.
        let after = match after.map(StorageKey::as_str) {
            Some(after) if after.starts_with(prefix) && after != prefix => Some(after),
            Some(after) if after > prefix => return Ok(Vec::new()),
            _ => None,
        };
        self.bucket().keys(prefix, after, limit).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let keys = self.keys(prefix, after, limit).await?;
        let read = async |key: StorageKey| {
            let found = self.bucket().get(&key).await?;
            Ok::<_, StoreError>(found.map(|found| (key, found.content)))
        };
        let found = stream::iter(keys).map(read).buffered(AT_ONCE);
        found.try_filter_map(async |found| Ok(found)).try_collect().await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        let put_hint = |hint| async move { self.put_always(&hint).await };
        stream::iter(commit.hints).map(put_hint).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        let version = if let Some(change) = commit.change {
            Some(self.change(change, &commit.records).await?)
        } else {
            self.put_records(commit.records).await?;
            None
        };
        match self.bucket().remove(&commit.removals).await {
            // What was to be written is written: that it left something behind makes it no failure.
            Err(error) if version.is_some() => {
                tracing::warn!(error = %chain(&error), "objects could not be removed yet");
            }
            removed => removed?,
        }
        // Last: what failed until here is done again, and must not count twice.
        if let Some(tally) = &commit.tally {
            self.0.sums.add(tally);
        }
        Ok(version)
    }
}

/// Pauses between requests to a server that is in trouble, or to an object that others write, too.
pub(super) fn backoff() -> Backoff {
    Backoff::between(FIRST_PAUSE, LONGEST_PAUSE)
}

/// What became of a write whose answer says nothing.
enum Found {
    Happened(Known),
    /// The object is as it was before.
    Not,
    /// Another write was faster.
    Overtaken,
    /// Too many other writes came since.
    Unknown,
}

impl S3Store {
    /// Writes the object that decides, and puts its records.
    async fn change(&self, change: Change, records: &[(StorageKey, Bytes)]) -> Result<Version, StoreError> {
        let before = match &change.condition {
            Condition::Absent => None,
            // A version of another backend: no object is in it.
            Condition::Is(version) => Some(Known::from_version(version).ok_or(StoreError::Conflict)?),
        };
        if let Some(trail) = before.as_ref().and_then(|before| before.trail.as_ref()) {
            self.settle(trail).await?;
        }
        let id = WriteId::random();
        let before_trail = before.as_ref().and_then(|before| before.trail.as_ref());
        let trail = WriteLog::after(before_trail, id.clone(), SystemClock.now(), records);
        let written = self.write(&change, before.as_ref(), &id, &trail).await?;
        match self.put_records(records.to_vec()).await {
            Ok(()) => self.0.settled.insert(id),
            // They are durable in the outbox.
            Err(error) => {
                tracing::warn!(error = %chain(&error), "records will be put by who writes or reads the object next");
            }
        }
        Ok(written.to_version())
    }

    /// Writes an object whose condition holds, however often it takes: each try is the same write.
    async fn write(
        &self,
        change: &Change,
        before: Option<&Known>,
        id: &WriteId,
        trail: &WriteLog,
    ) -> Result<Known, StoreError> {
        let body = trail.attach(&change.value);
        let only = before.map_or(Only::IfAbsent, |before| Only::IfMatch(before.etag.clone()));
        let mut backoff = backoff();
        let mut unclear = None;
        loop {
            match self.bucket().put(&change.key, body.clone(), Some(change.value.len()), &only).await {
                Ok(etag) => return Ok(Known { etag, trail: Some(trail.clone()) }),
                Err(PutError::Refused) => {}
                Err(PutError::Unclear(StoreError::Full)) => return Err(StoreError::Full),
                Err(PutError::Unclear(error)) => unclear = Some(error),
            }
            match self.look_for(&change.key, before, id, trail.seq).await {
                Ok(Found::Happened(known)) => {
                    let overtaken = known.trail.as_ref().is_none_or(|trail| trail.last() != Some(id));
                    // The version of another's write is not this one's to go on from.
                    return Ok(if overtaken { Known { etag: NO_ETAG.to_owned(), ..known } } else { known });
                }
                Ok(Found::Overtaken) => return Err(StoreError::Conflict),
                Ok(Found::Unknown) if unclear.is_none() => return Err(StoreError::Conflict),
                Ok(Found::Unknown) => {
                    let text = "an object was written too often to tell whether this write was among them";
                    return Err(StoreError::unavailable(text));
                }
                Ok(Found::Not) => {}
                Err(error) => unclear = Some(error),
            }
            if backoff.is_over() {
                let silent = || StoreError::unavailable("the bucket refuses a write whose condition holds");
                return Err(unclear.unwrap_or_else(silent));
            }
            backoff.pause().await;
        }
    }

    async fn look_for(
        &self,
        key: &StorageKey,
        before: Option<&Known>,
        id: &WriteId,
        seq: u64,
    ) -> Result<Found, StoreError> {
        let now = self.bucket().get(key).await?.map(|found| found.known);
        Ok(match (now, before) {
            (Some(now), Some(before)) if now.etag == before.etag => Found::Not,
            (None, None) => Found::Not,
            // It is gone, or of another make.
            (None, Some(_)) | (Some(Known { trail: None, .. }), _) => Found::Overtaken,
            (Some(now), _) => match now.trail.as_ref().map_or(Some(false), |trail| trail.remembers(id, seq)) {
                Some(true) => Found::Happened(now),
                Some(false) => Found::Overtaken,
                None => Found::Unknown,
            },
        })
    }

    /// Puts the records of the write that left `trail`, if nobody is known to have done so.
    async fn settle(&self, trail: &WriteLog) -> Result<(), StoreError> {
        let Some(id) = trail.last().filter(|_| !trail.outbox.is_empty()) else { return Ok(()) };
        if self.0.settled.contains(id) {
            return Ok(());
        }
        self.put_records(trail.records()?).await?;
        self.0.settled.insert(id.clone());
        Ok(())
    }

    /// Puts records that are not there yet.
    async fn put_records(&self, records: Vec<(StorageKey, Bytes)>) -> Result<(), StoreError> {
        let put = |(key, value)| async move { self.put_once(&key, value).await };
        stream::iter(records).map(put).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Puts an object that is written once. It is the same whoever puts it, so it is put until it is there.
    pub(super) async fn put_once(&self, key: &StorageKey, value: Bytes) -> Result<(), StoreError> {
        self.put_patiently(key, value, &Only::IfAbsent).await
    }

    async fn put_always(&self, key: &StorageKey) -> Result<(), StoreError> {
        self.put_patiently(key, Bytes::new(), &Only::Always).await
    }

    async fn put_patiently(&self, key: &StorageKey, value: Bytes, only: &Only) -> Result<(), StoreError> {
        let mut backoff = backoff();
        loop {
            match self.bucket().put(key, value.clone(), None, only).await {
                Ok(_) | Err(PutError::Refused) => return Ok(()),
                Err(PutError::Unclear(error)) => {
                    if matches!(error, StoreError::Full) || backoff.is_over() {
                        return Err(error);
                    }
                }
            }
            backoff.pause().await;
        }
    }
}
