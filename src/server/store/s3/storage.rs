//! Backend of `s3://BUCKET/PREFIX` storages: opens and diagnoses them.

use std::sync::Arc;

use async_trait::async_trait;

use super::{S3Store, diagnose};
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::Store;
use crate::server::store::backend::{Backend, BackendError};
use crate::server::store::{Durability, S3Location};

/// Storage in a bucket.
pub(in crate::server::store) struct BucketStorage<'a>(pub(in crate::server::store) &'a S3Location);

#[async_trait]
impl Backend for BucketStorage<'_> {
    /// Opens the store with [`S3Store::open`]. Ignores the durability setting, since the durability of a bucket is not
    /// configurable.
    async fn open(&self, _: Durability) -> Result<Arc<dyn Store>, BackendError> {
        Ok(Arc::new(S3Store::open(self.0).await))
    }

    /// Opens the store for maintenance. Every read also writes the object's pending outbox records, without delay.
    async fn open_offline(&self) -> Result<Arc<dyn Store>, BackendError> {
        Ok(Arc::new(S3Store::open_offline(self.0).await))
    }

    async fn diagnose(&self, page: Option<&BaseUrl>) -> Vec<Finding> {
        diagnose::diagnose(self.0, page).await
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn is_remote(&self) -> bool {
        true
    }
}
