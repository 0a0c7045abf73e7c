//! Stub for `s3/` in builds without the `s3` feature: rejects every bucket.

use std::sync::Arc;

use super::S3Location;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{Store, StoreError};

const NO_S3: &str = "this sgsend was built without S3";

/// Rejects the bucket.
///
/// # Errors
/// [`StoreError::Unfit`], always.
pub async fn open(_: &S3Location) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Unfit(NO_S3.to_owned()))
}

/// Rejects the bucket, as [`open`] does.
///
/// # Errors
/// [`StoreError::Unfit`], always.
pub async fn open_offline(location: &S3Location) -> Result<Arc<dyn Store>, StoreError> {
    open(location).await
}

/// Returns a single finding: this build does not support S3.
pub async fn diagnose(_: &S3Location, _: Option<&BaseUrl>) -> Vec<Finding> {
    vec![Finding::problem("bucket", NO_S3, "use a build of sgsend with the s3 feature, which is on by default")]
}
