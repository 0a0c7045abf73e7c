//! Stub for `s3/` in builds without the `s3` feature: rejects every bucket.

use std::sync::Arc;

use async_trait::async_trait;

use super::backend::{Backend, BackendError};
use super::{Durability, S3Location};
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{Store, StoreError};

const NO_S3: &str = "this sgsend was built without S3";

/// Storage in a bucket, which this build cannot open.
pub(super) struct BucketStorage<'a>(pub(super) &'a S3Location);

#[async_trait]
impl Backend for BucketStorage<'_> {
    /// Fails with [`StoreError::Unusable`].
    async fn open(&self, _: Durability) -> Result<Arc<dyn Store>, BackendError> {
        Err(StoreError::Unusable(NO_S3.to_owned()).into())
    }

    /// Returns a single finding: this build does not support S3.
    async fn diagnose(&self, _: Option<&BaseUrl>) -> Vec<Finding> {
        vec![Finding::problem("bucket", NO_S3, "use a build of sgsend with the s3 feature, which is on by default")]
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn is_supported(&self) -> bool {
        false
    }
}
