//! `s3://BUCKET/PREFIX`: a store in a bucket, for any number of servers that share nothing else.
//!
//! There are no transactions: one conditional write decides, and [`records`] tells what comes before and after it. A
//! payload is `payload.enc` once it is whole; while it arrives, [`arriving`] tells what is there.

mod actions;
mod arriving;
mod bucket;
mod examination;
mod payloads;
mod presigner;
mod proof;
mod records;
mod settled;
mod stored;
mod sums;
mod writer;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use examination::examine;

use bucket::Bucket;
use settled::Settled;
use sums::Sums;

use super::S3Location;
use crate::domain::store::{Presigner, StorageKey, Store, StoreError};

/// A store in a bucket. Clones share its connections.
#[derive(Clone)]
pub struct S3Store(Arc<Parts>);

struct Parts {
    bucket: Bucket,
    settled: Settled,
    sums: Sums,
    location: S3Location,
}

/// Opens the store at `location`, as [`S3Store::open`] does.
///
/// # Errors
/// None; a build without S3 refuses every bucket in this place.
pub async fn open(location: &S3Location) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(S3Store::open(location).await))
}

impl S3Store {
    /// The store at `location`. Whether it can be reached shows at the first request.
    pub async fn open(location: &S3Location) -> Self {
        let bucket = Bucket::at(location).await;
        let (settled, sums) = Default::default();
        Self(Arc::new(Parts { bucket, settled, sums, location: location.clone() }))
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
        proof::prove(self.bucket(), key).await
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
