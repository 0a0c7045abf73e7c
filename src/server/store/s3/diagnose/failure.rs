//! Converts failed requests to a bucket into findings with hints.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::domain::error::chain;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::error::{S3Error, request_error};

/// Turns the failure of a step that needs the IAM action `action` into a finding.
pub(super) fn require<T>(name: &'static str, action: &str, outcome: Result<T, StoreError>) -> Result<T, Finding> {
    outcome.map_err(|error| problem(name, action, &error))
}

/// Creates the finding of a failed step that needs the IAM action `action`.
pub(super) fn problem(name: &'static str, action: &str, error: &StoreError) -> Finding {
    let hint = match status(error) {
        Some(401 | 403) => format!("allow {action}: examples/aws/iam-policy.json lists all required actions"),
        Some(405 | 501) => "this server lacks a feature that a store requires: use another server".to_owned(),
        _ => "retry; if the error persists, contact the operator of the S3 server".to_owned(),
    };
    Finding::problem(name, describe_error(error), hint)
}

/// Returns a bucket setting; `None` if it is unset, which the server reports by the error code `unset`.
///
/// # Errors
/// A finding for a setting that cannot be read, which needs the IAM action `action`.
pub(super) fn setting<T, E>(
    name: &'static str,
    action: &str,
    unset: Option<&str>,
    answer: Result<T, SdkError<E>>,
) -> Result<Option<T>, Finding>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if unset.is_some() && error.code() == unset => Ok(None),
        Err(error) => {
            let error = request_error(error);
            let hint = match status(&error) {
                Some(401 | 403) => {
                    format!("allow {action}: examples/aws/iam-policy-doctor.json lists all required actions")
                }
                _ => "this server does not report the setting: check it manually".to_owned(),
            };
            Err(Finding::cannot_tell(name, describe_error(&error), hint))
        }
    }
}

/// Returns the HTTP status of an error response.
fn status(error: &StoreError) -> Option<u16> {
    match s3_error_of(error) {
        Some(S3Error::Response { status, .. }) => Some(*status),
        _ => None,
    }
}

fn s3_error_of(error: &StoreError) -> Option<&S3Error> {
    match error {
        StoreError::Unavailable(source) => source.downcast_ref(),
        _ => None,
    }
}

/// Formats an error with all its causes, without the common prefix of store errors.
pub(super) fn describe_error(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(source) => chain(source.as_ref()),
        other => chain(other),
    }
}
