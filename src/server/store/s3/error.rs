//! Errors of S3 requests.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::http_client::TooManyRequests;
use crate::domain::store::StoreError;

/// Error of a write.
#[derive(Debug)]
pub(super) enum PutError {
    /// The condition does not hold: 412, or 404 for a removed object.
    ConditionFailed,
    /// The outcome is unknown, since the write may have been or may still be applied. The cause is a concurrent write,
    /// a lost response or a server error.
    UnknownOutcome(StoreError),
}

/// Returns the HTTP status of the response behind an error.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns whether the bucket itself is missing, in contrast to an object.
pub(super) fn is_missing_bucket<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("NoSuchBucket")
}

/// Response that says nothing about an object.
#[derive(Debug, thiserror::Error)]
pub(super) enum S3Error {
    /// The server responded with an error.
    #[error("S3 server responded {status} {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Response {
        /// HTTP status.
        status: u16,
        /// Error code, such as `AccessDenied`.
        code: String,
        /// Human-readable message of the server.
        message: String,
    },
    /// The server did not respond, or the request could not be sent.
    #[error("no response from the S3 server")]
    NoResponse(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Returns whether an error code means that a quota is used up or the disks are full.
///
/// S3 itself has no such code; servers have their own, such as `QuotaExceeded`, `XMinioStorageFull`,
/// `XMinioAdminBucketQuotaExceeded`, `InsufficientStorage`, and `StorageLimitExceeded`.
fn is_quota_code(code: &str) -> bool {
    let code = code.to_ascii_lowercase().replace(['_', '-', ' '], "");
    let names = |words: &[&str]| words.iter().any(|word| code.contains(word));
    names(&["storagefull", "diskfull", "insufficientstorage", "notenoughspace"])
        || (names(&["quota", "storagelimit", "storagecap"]) && names(&["exceed", "reached"]))
}

/// Returns whether a request was not sent, since too many others are in progress.
fn is_busy(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<TooManyRequests>)
}

/// Converts an SDK error that says nothing about an object into a store error.
pub(super) fn request_error<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match status(&error) {
        Some(507) => StoreError::Full,
        Some(_) if error.code().is_some_and(is_quota_code) => StoreError::Full,
        Some(status) => {
            let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
            StoreError::unavailable(S3Error::Response {
                status,
                code: text(error.code()),
                message: text(error.message()),
            })
        }
        None if is_busy(&error) => StoreError::Busy,
        None => StoreError::unavailable(S3Error::NoResponse(error.into_source().unwrap_or_else(Into::into))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_told_from_rates_and_permissions() {
        for code in [
            "QuotaExceeded",
            "XMinioStorageFull",
            "XMinioAdminBucketQuotaExceeded",
            "InsufficientStorage",
            "StorageLimitExceeded",
            "storage_cap_exceeded",
            "BucketQuotaReached",
        ] {
            assert!(is_quota_code(code), "{code}");
        }
        for code in ["AccessDenied", "SlowDown", "RequestLimitExceeded", "EntityTooLarge", "TooManyBuckets", ""] {
            assert!(!is_quota_code(code), "{code}");
        }
    }
}
