//! What stands in the place of `s3/` in a build without the feature of that name: the refusal of every bucket.

use std::sync::Arc;

use super::S3Location;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{Store, StoreError};

const REFUSAL: &str = "this sgsend was built without S3";

/// Opens no bucket.
///
/// # Errors
/// [`StoreError::Unfit`], always.
pub async fn open(_: &S3Location) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Unfit(REFUSAL.to_owned()))
}

/// Opens no bucket either.
///
/// # Errors
/// [`StoreError::Unfit`], always.
pub async fn open_at_rest(location: &S3Location) -> Result<Arc<dyn Store>, StoreError> {
    open(location).await
}

/// Examines no bucket, and says why.
pub async fn examine(_: &S3Location, _: Option<&BaseUrl>) -> Vec<Finding> {
    vec![Finding::problem("bucket", REFUSAL, "use an sgsend with S3, which it has unless it is built without")]
}
