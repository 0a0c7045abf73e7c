//! `s3://BUCKET/PREFIX`: a store in a bucket, for any number of servers that share nothing else.
//!
//! There are no transactions: one conditional write decides, and [`records`] tells what comes before and after it. A
//! payload is `payload.enc` once it is whole; while it arrives, [`manifest`] tells what is there.

mod actions;
mod applied;
mod bucket;
mod counters;
mod examination;
mod listing;
mod manifest;
mod payloads;
mod presigner;
mod probe;
mod records;
mod stored;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use examination::examine;

use applied::AppliedWrites;
use bucket::Bucket;
use counters::Sums;

use super::S3Location;
use crate::domain::store::{Presigner, StorageKey, Store, StoreError};

/// Payloads that come through the service at once: each may hold two parts, so a gibibyte in all.
const WRITERS: usize = 64;
/// How long the writer of an object has to put the records that belong to it, in a store that is in use.
const WRITERS_TIME: Duration = Duration::from_secs(10);
/// How long another one waits for a place.
const WRITER_PATIENCE: Duration = Duration::from_secs(10);

/// A store in a bucket. Clones share its connections.
#[derive(Clone)]
pub struct S3Store(Arc<Parts>);

struct Parts {
    bucket: Bucket,
    settled: AppliedWrites,
    sums: Sums,
    location: S3Location,
    /// RequestSlots for payloads that are gathered in memory on their way to the bucket.
    writers: Arc<Semaphore>,
    /// How long a writer has to put its records before a reader does.
    writers_time: Duration,
}

/// Opens the store at `location`, as [`S3Store::open`] does.
///
/// # Errors
/// None; a build without S3 refuses every bucket in this place.
pub async fn open(location: &S3Location) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(S3Store::open(location).await))
}

/// Opens the store at `location` that nobody writes to: what a writer has not put any more is put at the first sight.
///
/// # Errors
/// As [`open`].
pub async fn open_at_rest(location: &S3Location) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(S3Store::with(location, Duration::ZERO).await))
}

impl S3Store {
    /// The store at `location`. Whether it can be reached shows at the first request.
    pub async fn open(location: &S3Location) -> Self {
        Self::with(location, WRITERS_TIME).await
    }

    async fn with(location: &S3Location, writers_time: Duration) -> Self {
        let bucket = Bucket::at(location).await;
        let (settled, sums) = Default::default();
        let writers = Arc::new(Semaphore::new(WRITERS));
        Self(Arc::new(Parts { bucket, settled, sums, location: location.clone(), writers, writers_time }))
    }

    /// Waits for a place for another payload.
    async fn writer_place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let place = tokio::time::timeout(WRITER_PATIENCE, self.0.writers.clone().acquire_owned()).await;
        let place = place.map_err(|_| StoreError::unavailable("too many payloads come through this service"))?;
        Ok(place.expect("the semaphore is never closed"))
    }

    fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }
}

#[async_trait]
impl Store for S3Store {
    fn presigner(&self) -> Option<&dyn Presigner> {
        Some(self)
    }

    async fn prove(&self, key: &StorageKey) -> Result<(), StoreError> {
        probe::prove(self.bucket(), key).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.write_sums().await
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Store").field(&self.0.location.to_string()).finish()
    }
}
