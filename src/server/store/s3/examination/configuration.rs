//! What the provider keeps of what was removed and of who was there, and what it does by itself.

use aws_sdk_s3::types::{BucketVersioningStatus, LifecycleRule, ObjectLockEnabled};

use super::refusal::setting;
use crate::domain::maintenance::finding::Finding;
use crate::server::store::s3::actions::{GET_ENCRYPTION, GET_LIFECYCLE, GET_LOGGING, GET_OBJECT_LOCK, GET_VERSIONING};
use crate::server::store::s3::bucket::Bucket;

/// Looks at the bucket's configuration.
pub(super) async fn examine(bucket: &Bucket) -> [Finding; 5] {
    let either = |finding: Result<Finding, Finding>| finding.unwrap_or_else(|dark| dark);
    let (versioning, object_lock) = (versioning(bucket).await, object_lock(bucket).await);
    [versioning, object_lock, access_log(bucket).await, lifecycle(bucket).await, encryption(bucket).await].map(either)
}

async fn versioning(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "versioning";
    let asked = bucket.client.get_bucket_versioning().bucket(&bucket.name).send().await;
    let status = setting(NAME, GET_VERSIONING, None, asked)?.and_then(|found| found.status);
    let new_bucket = "use a bucket that never had it: versions of what was removed live on";
    Ok(match status {
        None => Finding::ok(NAME, "off: what is removed is gone"),
        Some(BucketVersioningStatus::Suspended) => {
            Finding::warning(NAME, "suspended: versions from before may still be there", new_bucket)
        }
        Some(_) => Finding::problem(NAME, "on: removed payloads live on as versions", new_bucket),
    })
}

async fn object_lock(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "object_lock";
    let asked = bucket.client.get_object_lock_configuration().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_OBJECT_LOCK, Some("ObjectLockConfigurationNotFoundError"), asked)?;
    let lock = found.and_then(|found| found.object_lock_configuration).and_then(|lock| lock.object_lock_enabled);
    Ok(match lock {
        Some(ObjectLockEnabled::Enabled) => {
            Finding::problem(NAME, "on: payloads cannot be removed", "use a bucket without it: it cannot be taken off")
        }
        _ => Finding::ok(NAME, "off"),
    })
}

async fn access_log(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "access_log";
    let asked = bucket.client.get_bucket_logging().bucket(&bucket.name).send().await;
    let log = setting(NAME, GET_LOGGING, None, asked)?.and_then(|found| found.logging_enabled);
    Ok(match log {
        None => Finding::ok(NAME, "off for this bucket"),
        Some(log) => {
            let hint = "turn it off: aws s3api put-bucket-logging with an empty status; or tell your users";
            let detail =
                format!("on: addresses of clients are written to {}, whatever --ip-mode says", log.target_bucket);
            Finding::warning(NAME, detail, hint)
        }
    })
}

async fn lifecycle(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "lifecycle";
    let asked = bucket.client.get_bucket_lifecycle_configuration().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_LIFECYCLE, Some("NoSuchLifecycleConfiguration"), asked)?;
    let rules = found.and_then(|found| found.rules).unwrap_or_default();
    let aborts = |rule: &LifecycleRule| rule.abort_incomplete_multipart_upload().is_some();
    Ok(if rules.iter().any(aborts) {
        Finding::ok(NAME, "uploads that were never ended are removed")
    } else {
        // A server removes those of its transfers by itself.
        Finding::ok(NAME, "no rule ends uploads; servers do, and examples/aws/lifecycle.json would do it without them")
    })
}

async fn encryption(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "encryption";
    let asked = bucket.client.get_bucket_encryption().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ENCRYPTION, Some("ServerSideEncryptionConfigurationNotFoundError"), asked)?;
    let rules = found.and_then(|found| found.server_side_encryption_configuration).map(|found| found.rules);
    let kinds = rules.unwrap_or_default().into_iter().filter_map(|rule| rule.apply_server_side_encryption_by_default);
    let kinds: Vec<_> = kinds.map(|kind| kind.sse_algorithm.as_str().to_owned()).collect();
    let provider = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
    Ok(Finding::ok(NAME, format!("by the provider: {provider}; payloads are sealed by their senders in any case")))
}
