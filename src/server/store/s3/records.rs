//! Record operations of the S3 backend: small objects that change by conditional writes.
//!
//! A commit writes its schedule entries, then the one object that decides, then its further records. The deciding
//! object carries the further records in its outbox, so a crash in between loses none: the next writer of the object
//! stores them first, and a reader stores them after [`OUTBOX_DELAY`](super::OUTBOX_DELAY). A server that has not
//! crashed does so itself, with its next flush ([`UnfinishedCommits`](super::unfinished::UnfinishedCommits)).

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::S3Store;
use super::bucket::{UNMATCHED_ETAG, WriteCondition};
use super::error::PutError;
use super::object_format::{ObjectVersion, WriteId, WriteLog};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::error::chain;
use crate::domain::store::{
    Backoff, Change, Commit, Condition, Prefix, Records, StorageKey, StoreError, Version, Versioned,
};

/// Maximum pause before the first retry.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Maximum pause between two retries.
const MAX_PAUSE: Duration = Duration::from_millis(500);
/// Maximum number of concurrent requests of one call.
const CONCURRENCY: usize = 32;

#[async_trait]
impl Records for S3Store {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        let Some(found) = self.bucket().get(key).await? else { return Ok(None) };
        if let Some(log) = &found.version.log
            && !self.0.reads_only.load(Ordering::Relaxed)
            && SystemClock.now().since(log.at) >= self.0.outbox_delay
            && let Err(error) = self.write_outbox(log).await
        {
            tracing::warn!(error = %chain(&error), "cannot store the records of an earlier write; will retry");
        }
        Ok(Some(Versioned { value: found.content, version: found.version.to_version() }))
    }

    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        let prefix = prefix.as_str();
        // Some S3-compatible servers reject a start marker outside the prefix.
        let after = match after.map(StorageKey::as_str) {
            Some(after) if after.starts_with(prefix) && after != prefix => Some(after),
            Some(after) if after > prefix => return Ok(Vec::new()),
            _ => None,
        };
        self.bucket().keys(prefix, after, limit).await
    }

    async fn get_all(&self, keys: &[StorageKey]) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let read = async |key: &StorageKey| {
            let _permit = self.0.list_reads.acquire().await.expect("the semaphore is never closed");
            let found = self.bucket().get(key).await?;
            Ok::<_, StoreError>(found.map(|found| (key.clone(), found.content)))
        };
        let found = stream::iter(keys).map(read).buffered(CONCURRENCY);
        found.try_filter_map(async |found| Ok(found)).try_collect().await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        let put_entry = |entry| async move { self.put_always(&entry).await };
        stream::iter(commit.schedule).map(put_entry).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        let version = if let Some(change) = commit.change {
            Some(self.change(change, &commit.records).await?)
        } else {
            self.put_records(commit.records).await?;
            None
        };
        match self.bucket().remove(&commit.removals).await {
            // The change is written, so a failed removal must not fail the commit.
            Err(error) if version.is_some() => {
                tracing::warn!(error = %chain(&error), "cannot remove objects; will retry");
            }
            removed => removed?,
        }
        // Counted last: a failed commit is retried, and must not count twice.
        if let Some(counter_delta) = &commit.counter_delta {
            self.0.counters.add(counter_delta);
        }
        Ok(version)
    }
}

/// Returns the backoff for retries on server errors and on conflicts with other writers.
pub(super) fn backoff() -> Backoff {
    Backoff::between(FIRST_PAUSE, MAX_PAUSE)
}

/// Actual outcome of a write whose response is missing or ambiguous.
enum WriteOutcome {
    Applied(ObjectVersion),
    /// The object is unchanged.
    NotApplied,
    /// Another write was applied first.
    Overtaken,
    /// The write log no longer reaches back to the write.
    Unknown,
}

impl S3Store {
    /// Writes the object that decides a commit, then the commit's further records.
    async fn change(&self, change: Change, records: &[(StorageKey, Bytes)]) -> Result<Version, StoreError> {
        let before = match &change.condition {
            Condition::Absent => None,
            // A version of another backend matches no object here.
            Condition::Is(version) => Some(ObjectVersion::from_version(version).ok_or(StoreError::Conflict)?),
        };
        if let Some(log) = before.as_ref().and_then(|before| before.log.as_ref()) {
            self.write_outbox(log).await?;
        }
        let id = WriteId::random();
        let log_before = before.as_ref().and_then(|before| before.log.as_ref());
        let log = WriteLog::after(log_before, id.clone(), SystemClock.now(), records);
        let unfinished = self.0.unfinished.guard(change.key.clone(), id.clone());
        let written = match self.write(&change, before.as_ref(), &id, &log).await {
            Err(StoreError::Conflict) => {
                unfinished.finish();
                return Err(StoreError::Conflict);
            }
            written => written?,
        };
        match self.put_records(records.to_vec()).await {
            Ok(()) => {
                self.0.applied.insert(id);
                unfinished.finish();
            }
            // The records are durable in the outbox of the written object.
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot store the records of a write; will retry");
            }
        }
        Ok(written.to_version())
    }

    /// Writes an object if its condition holds, with retries; all attempts have the same write id.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another write was applied first.
    async fn write(
        &self,
        change: &Change,
        before: Option<&ObjectVersion>,
        id: &WriteId,
        log: &WriteLog,
    ) -> Result<ObjectVersion, StoreError> {
        let body = log.attach(&change.value);
        let condition = before.map_or(WriteCondition::IfAbsent, |before| WriteCondition::IfMatch(before.etag.clone()));
        let mut backoff = backoff();
        let mut last_error = None;
        loop {
            match self.bucket().put(&change.key, body.clone(), Some(change.value.len()), &condition).await {
                Ok(etag) => return Ok(ObjectVersion { etag, log: Some(log.clone()) }),
                Err(PutError::ConditionFailed) => {}
                Err(PutError::UnknownOutcome(error @ (StoreError::Full | StoreError::Busy))) => return Err(error),
                Err(PutError::UnknownOutcome(error)) => last_error = Some(error),
            }
            match self.outcome_of(&change.key, before, id, log.seq).await {
                Ok(WriteOutcome::Applied(version)) => {
                    let overtaken = version.log.as_ref().is_none_or(|log| log.last() != Some(id));
                    // The caller must not continue from the version of a later write.
                    return Ok(if overtaken {
                        ObjectVersion { etag: UNMATCHED_ETAG.to_owned(), ..version }
                    } else {
                        version
                    });
                }
                Ok(WriteOutcome::Overtaken) => return Err(StoreError::Conflict),
                Ok(WriteOutcome::Unknown) if last_error.is_none() => return Err(StoreError::Conflict),
                Ok(WriteOutcome::Unknown) => {
                    let text = "cannot tell whether a write was applied: too many later writes to the object";
                    return Err(StoreError::unavailable(text));
                }
                Ok(WriteOutcome::NotApplied) => {}
                Err(StoreError::Busy) => return Err(StoreError::Busy),
                Err(error) => last_error = Some(error),
            }
            if backoff.is_over() {
                let rejected = || StoreError::unavailable("the bucket rejects a write whose condition holds");
                return Err(last_error.unwrap_or_else(rejected));
            }
            backoff.pause().await;
        }
    }

    async fn outcome_of(
        &self,
        key: &StorageKey,
        before: Option<&ObjectVersion>,
        id: &WriteId,
        seq: u64,
    ) -> Result<WriteOutcome, StoreError> {
        let now = self.bucket().get(key).await?.map(|found| found.version);
        Ok(match (now, before) {
            (Some(now), Some(before)) if now.etag == before.etag => WriteOutcome::NotApplied,
            (None, None) => WriteOutcome::NotApplied,
            // The object was removed, or replaced by one without a write log.
            (None, Some(_)) | (Some(ObjectVersion { log: None, .. }), _) => WriteOutcome::Overtaken,
            (Some(now), _) => match now.log.as_ref().map_or(Some(false), |log| log.contains(id, seq)) {
                Some(true) => WriteOutcome::Applied(now),
                Some(false) => WriteOutcome::Overtaken,
                None => WriteOutcome::Unknown,
            },
        })
    }

    /// Stores the outbox records of the latest write in `log`, unless they are known to be stored.
    pub(super) async fn write_outbox(&self, log: &WriteLog) -> Result<(), StoreError> {
        let Some(id) = log.last().filter(|_| !log.outbox.is_empty()) else { return Ok(()) };
        if self.0.applied.contains(id) {
            return Ok(());
        }
        self.put_records(log.records()?).await?;
        self.0.applied.insert(id.clone());
        Ok(())
    }

    /// Stores records that do not exist yet.
    async fn put_records(&self, records: Vec<(StorageKey, Bytes)>) -> Result<(), StoreError> {
        let put = |(key, value)| async move { self.put_immutable(&key, value).await };
        stream::iter(records).map(put).buffer_unordered(CONCURRENCY).try_collect().await
    }

    /// Writes an immutable object, with retries until it exists.
    ///
    /// Every writer would write the same bytes, so an existing object is a success.
    pub(super) async fn put_immutable(&self, key: &StorageKey, value: Bytes) -> Result<(), StoreError> {
        self.put_with_retries(key, value, &WriteCondition::IfAbsent).await
    }

    async fn put_always(&self, key: &StorageKey) -> Result<(), StoreError> {
        self.put_with_retries(key, Bytes::new(), &WriteCondition::Unconditional).await
    }

    async fn put_with_retries(
        &self,
        key: &StorageKey,
        value: Bytes,
        condition: &WriteCondition,
    ) -> Result<(), StoreError> {
        let mut backoff = backoff();
        loop {
            match self.bucket().put(key, value.clone(), None, condition).await {
                Ok(_) | Err(PutError::ConditionFailed) => return Ok(()),
                Err(PutError::UnknownOutcome(error)) => {
                    if matches!(error, StoreError::Full | StoreError::Busy) || backoff.is_over() {
                        return Err(error);
                    }
                }
            }
            backoff.pause().await;
        }
    }
}
