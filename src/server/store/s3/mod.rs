//! `s3://BUCKET/PREFIX`: a store in a bucket, shared by any number of servers. Servers have no other shared state.
//!
//! S3 has no transactions: one conditional write decides each commit, and [`records`] defines the writes before and
//! after it. A complete payload is the object `payload.enc`; during the upload its state is in the manifest that
//! [`manifest`] describes.

mod actions;
mod applied;
mod bucket;
mod counters;
mod diagnose;
mod error;
mod http_client;
mod lease;
mod leased_upload;
#[cfg(test)]
mod list_tests;
mod listing;
mod manifest;
mod multipart;
mod object_format;
mod payloads;
mod presigner;
mod probe;
mod reader;
mod records;
mod storage;
#[cfg(test)]
pub(crate) mod test_server;
mod unfinished;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use storage::BucketStorage;

use applied::AppliedWrites;
use bucket::Bucket;
use counters::CounterBuffer;
use probe::ProbeInterval;
use unfinished::UnfinishedCommits;

use super::S3Location;
use crate::domain::error::chain;
use crate::domain::limits::free_space::SpaceReading;
use crate::domain::store::{PayloadProbeError, Presigner, StorageKey, Store, StoreError};

/// Maximum number of concurrent uploads through the service. Each buffers up to two parts: 1 GiB in all for parts of 8
/// MiB.
const WRITERS: usize = 64;
/// Time after which a reader writes the outbox records of an object, in a store in use. Until then the object's writer
/// does.
const OUTBOX_DELAY: Duration = Duration::from_secs(10);
/// Maximum number of objects that all lists read at once.
///
/// Each takes a connection, and so a file descriptor. Further reads wait in the order of their arrival, so concurrent lists progress alike.
const LIST_READS: usize = 32;
/// Time after which every server has added its counters to the bucket: they do so once a minute.
const COUNTER_DELAY: Duration = Duration::from_secs(75);
/// Maximum wait of a further upload for a permit.
const WRITER_TIMEOUT: Duration = Duration::from_secs(10);

/// Store in an S3 bucket. Clones share the connections.
#[derive(Clone)]
pub struct S3Store(Arc<S3StoreInner>);

struct S3StoreInner {
    bucket: Bucket,
    applied: AppliedWrites,
    unfinished: UnfinishedCommits,
    counters: CounterBuffer,
    location: S3Location,
    /// Permits for uploads whose parts are buffered in memory.
    writers: Arc<Semaphore>,
    /// Permits for objects that lists read.
    list_reads: Semaphore,
    /// Time after which a reader writes the outbox records of an object.
    outbox_delay: Duration,
    space_probes: ProbeInterval,
    /// Whether reads no longer write the outbox records of other servers.
    reads_only: AtomicBool,
}

impl S3Store {
    /// Opens the store at `location`. An unreachable bucket shows at the first request.
    pub async fn open(location: &S3Location) -> Self {
        Self::with(location, OUTBOX_DELAY).await
    }

    /// Opens the store at `location` for maintenance: reads write pending outbox records without delay.
    async fn open_offline(location: &S3Location) -> Self {
        Self::with(location, Duration::ZERO).await
    }

    async fn with(location: &S3Location, outbox_delay: Duration) -> Self {
        Self::over(Bucket::at(location).await, location, outbox_delay)
    }

    fn over(bucket: Bucket, location: &S3Location, outbox_delay: Duration) -> Self {
        let (applied, unfinished, counters) = Default::default();
        let writers = Arc::new(Semaphore::new(WRITERS));
        Self(Arc::new(S3StoreInner {
            bucket,
            applied,
            unfinished,
            counters,
            location: location.clone(),
            writers,
            list_reads: Semaphore::new(LIST_READS),
            outbox_delay,
            space_probes: ProbeInterval::default(),
            reads_only: AtomicBool::new(false),
        }))
    }

    /// Waits for a permit for another upload.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] after 10 s.
    async fn writer_permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = tokio::time::timeout(WRITER_TIMEOUT, self.0.writers.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| StoreError::unavailable("too many concurrent uploads through this service"))?;
        Ok(permit.expect("the semaphore is never closed"))
    }

    fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }
}

#[async_trait]
impl Store for S3Store {
    fn presigner(&self) -> Option<&dyn Presigner> {
        (!self.0.location.bytes_only).then_some(self)
    }

    async fn probe_payloads(&self) -> Result<(), PayloadProbeError> {
        probe::probe_payloads(self.bucket()).await
    }

    async fn check_guarantees(&self, key: &StorageKey) -> Result<(), StoreError> {
        probe::check_conditional_writes(self.bucket(), key).await
    }

    fn stop_writing(&self) {
        self.0.reads_only.store(true, Ordering::Relaxed);
    }

    fn counter_delay(&self) -> Duration {
        COUNTER_DELAY
    }

    async fn flush(&self) -> Result<(), StoreError> {
        // A commit that cannot be completed must not keep the counters in memory.
        let counted = self.write_counters().await;
        self.finish_commits().await.and(counted)
    }

    fn space(&self) -> SpaceReading {
        SpaceReading { is_full: self.bucket().is_full(), ..SpaceReading::default() }
    }

    async fn measure_space(&self) {
        if self.0.reads_only.load(Ordering::Relaxed) || !self.bucket().is_full() || !self.0.space_probes.is_due() {
            return;
        }
        if let Err(error) = probe::try_write(self.bucket(), &StorageKey::header()).await {
            tracing::debug!(error = %chain(&error), "the bucket has no space yet");
        }
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Store").field(&self.0.location.to_string()).finish()
    }
}
