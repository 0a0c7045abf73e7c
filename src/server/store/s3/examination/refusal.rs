//! What a bucket's refusals say, and what to do about them.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::domain::error::chain;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::StoreError;
use crate::server::store::s3::bucket::{Fault, fault};

/// A step that was to succeed: what is needed for it is `action`.
pub(super) fn needed<T>(name: &'static str, action: &str, outcome: Result<T, StoreError>) -> Result<T, Finding> {
    outcome.map_err(|error| problem(name, action, &error))
}

/// A problem, where a step was refused that needs `action`.
pub(super) fn problem(name: &'static str, action: &str, error: &StoreError) -> Finding {
    let hint = match status(error) {
        Some(401 | 403) => format!("allow {action}: examples/aws/iam-policy.json has all that a server needs"),
        Some(405 | 501) => "this server does not have what a store needs: use another one".to_owned(),
        _ => "try again; if it stays so, ask whoever runs the S3 server".to_owned(),
    };
    Finding::problem(name, why(error), hint)
}

/// A part of the bucket's configuration; `None` where there is none, which the server says with the code `unset`.
///
/// # Errors
/// What cannot be seen is a finding of its own: it takes `action`.
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
            let error = fault(error);
            let hint = match status(&error) {
                Some(401 | 403) => format!("allow {action}: examples/aws/iam-policy-doctor.json has all that is asked"),
                _ => "this server does not tell: look it up where it is set".to_owned(),
            };
            Err(Finding::cannot_tell(name, why(&error), hint))
        }
    }
}

/// The HTTP status of a refusal.
fn status(error: &StoreError) -> Option<u16> {
    match fault_of(error) {
        Some(Fault::Answer { status, .. }) => Some(*status),
        _ => None,
    }
}

fn fault_of(error: &StoreError) -> Option<&Fault> {
    match error {
        StoreError::Unavailable(source) => source.downcast_ref(),
        _ => None,
    }
}

/// What was said: the error and all its causes, without the words that every error of a backend begins with.
pub(super) fn why(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(source) => chain(source.as_ref()),
        other => chain(other),
    }
}
