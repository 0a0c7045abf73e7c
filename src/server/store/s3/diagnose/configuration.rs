//! Checks of bucket settings: retention of deleted objects, access logs, lifecycle rules and encryption.

use aws_sdk_s3::types::{BucketVersioningStatus, LifecycleRule, ObjectLockEnabled};

use super::failure::setting;
use crate::domain::maintenance::finding::Finding;
use crate::server::store::s3::actions::{GET_ENCRYPTION, GET_LIFECYCLE, GET_LOGGING, GET_OBJECT_LOCK, GET_VERSIONING};
use crate::server::store::s3::bucket::Bucket;

/// Checks versioning, object lock, access log, lifecycle rules and server-side encryption.
pub(super) async fn examine(bucket: &Bucket) -> [Finding; 5] {
    let either = |finding: Result<Finding, Finding>| finding.unwrap_or_else(|unreadable| unreadable);
    let (versioning, object_lock) = (versioning(bucket).await, object_lock(bucket).await);
    [versioning, object_lock, access_log(bucket).await, lifecycle(bucket).await, encryption(bucket).await].map(either)
}

async fn versioning(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "versioning";
    let response = bucket.client.get_bucket_versioning().bucket(&bucket.name).send().await;
    let status = setting(NAME, GET_VERSIONING, None, response)?.and_then(|found| found.status);
    let new_bucket = "use a bucket that never had versioning: versions of deleted objects persist";
    Ok(match status {
        None => Finding::ok(NAME, "off: deleted objects are gone"),
        Some(BucketVersioningStatus::Suspended) => {
            Finding::warning(NAME, "suspended: earlier versions of objects may persist", new_bucket)
        }
        Some(_) => Finding::problem(NAME, "on: deleted payloads persist as versions", new_bucket),
    })
}

async fn object_lock(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "object_lock";
    let response = bucket.client.get_object_lock_configuration().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_OBJECT_LOCK, Some("ObjectLockConfigurationNotFoundError"), response)?;
    let lock = found.and_then(|found| found.object_lock_configuration).and_then(|lock| lock.object_lock_enabled);
    Ok(match lock {
        Some(ObjectLockEnabled::Enabled) => Finding::problem(
            NAME,
            "on: payloads cannot be deleted",
            "use a bucket without object lock, which cannot be disabled later",
        ),
        _ => Finding::ok(NAME, "off"),
    })
}

async fn access_log(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "access_log";
    let response = bucket.client.get_bucket_logging().bucket(&bucket.name).send().await;
    let log = setting(NAME, GET_LOGGING, None, response)?.and_then(|found| found.logging_enabled);
    Ok(match log {
        None => Finding::ok(NAME, "off"),
        Some(log) => {
            let hint = "disable it with an empty status in aws s3api put-bucket-logging, or inform your users";
            let detail = format!("on: client addresses are logged to {}, regardless of --ip-mode", log.target_bucket);
            Finding::warning(NAME, detail, hint)
        }
    })
}

async fn lifecycle(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "lifecycle";
    let response = bucket.client.get_bucket_lifecycle_configuration().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_LIFECYCLE, Some("NoSuchLifecycleConfiguration"), response)?;
    let rules = found.and_then(|found| found.rules).unwrap_or_default();
    let aborts = |rule: &LifecycleRule| rule.abort_incomplete_multipart_upload().is_some();
    Ok(if rules.iter().any(aborts) {
        Finding::ok(NAME, "unfinished uploads are removed")
    } else {
        // The service aborts the unfinished uploads of its transfers itself.
        Finding::ok(
            NAME,
            "no rule removes unfinished uploads: the service does; fallback rule: examples/aws/lifecycle.json",
        )
    })
}

async fn encryption(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "encryption";
    let response = bucket.client.get_bucket_encryption().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ENCRYPTION, Some("ServerSideEncryptionConfigurationNotFoundError"), response)?;
    let rules = found.and_then(|found| found.server_side_encryption_configuration).map(|found| found.rules);
    let kinds = rules.unwrap_or_default().into_iter().filter_map(|rule| rule.apply_server_side_encryption_by_default);
    let kinds: Vec<_> = kinds.map(|kind| kind.sse_algorithm.as_str().to_owned()).collect();
    let provider = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
    Ok(Finding::ok(NAME, format!("server-side encryption: {provider}; payloads are end-to-end encrypted in any case")))
}
