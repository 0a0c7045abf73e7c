//! `doctor` checks of a bucket: whether it supports a store and keeps its contents private.
//!
//! The checks write under `PREFIX/doctor/`, which no store uses, and remove their objects afterwards. A check or removal
//! that fails can leave objects.

mod access;
mod objects;
mod presigned;
mod settings;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use bytes::Bytes;

use super::actions::{DELETE, GET};
use super::bucket::Bucket;
use super::error::{S3Error, request_error};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::random;
use crate::domain::error::chain;
use crate::domain::maintenance::finding::{Finding, Verdict};
use crate::domain::store::{StorageKey, StoreError, StoreHeader};
use crate::server::store::S3Location;

/// Content of every scratch object.
const CONTENT: Bytes = Bytes::from_static(b"sgsend doctor was here");
/// Different content with the same length.
const REPLACEMENT: Bytes = Bytes::from_static(b"SGSEND DOCTOR WAS HERE");

/// Scratch keys of one run of the checks.
struct Scratch {
    bucket: Bucket,
    /// Object that exists during all checks.
    object: StorageKey,
    /// Object of a multipart upload.
    multipart: StorageKey,
    /// Object written by a presigned URL.
    presigned: StorageKey,
    /// Object that is never written.
    absent: StorageKey,
}

/// Checks the bucket at `location`, and its CORS rules for the web page `page` if given.
///
/// Checks that depend on a failed check are skipped.
pub(super) async fn diagnose(location: &S3Location, page: Option<&BaseUrl>) -> Vec<Finding> {
    let scratch = Scratch::new(Bucket::at(location).await);
    let credentials = access::credentials().await;
    if credentials.verdict != Verdict::Ok {
        return vec![credentials];
    }
    let mut findings = vec![credentials, access::clock(&scratch).await];
    let (finding, accessible) = access::bucket(&scratch).await;
    findings.push(finding);
    if !accessible {
        return findings;
    }
    let objects = objects::objects(&scratch).await;
    let is_writable = objects.first().is_some_and(|written| written.verdict == Verdict::Ok);
    findings.extend(objects);
    findings.push(header(&scratch.bucket).await);
    if is_writable {
        findings.extend(objects::multipart_uploads(&scratch).await);
        findings.extend(objects::conditional_writes(&scratch).await);
        if !location.bytes_only {
            findings.extend(presigned::presigned_urls(&scratch).await);
        }
        findings.push(scratch.remove().await);
    }
    findings.push(settings::cors(&scratch.bucket, page).await);
    findings.extend(settings::public_access(&scratch.bucket).await);
    findings.extend(settings::configuration(&scratch.bucket).await);
    findings
}

impl Scratch {
    /// Creates scratch keys in `bucket` with a random prefix, which no other run uses.
    fn new(bucket: Bucket) -> Self {
        let run = random::name();
        let key = |name: &str| StorageKey::from_backend(format!("doctor/{run}/{name}"));
        Self {
            bucket,
            object: key("object"),
            multipart: key("multipart"),
            presigned: key("presigned"),
            absent: key("absent"),
        }
    }

    /// Removes all scratch objects.
    async fn remove(&self) -> Finding {
        const NAME: &str = "delete";
        // Failed multipart checks may leave uploads behind; their findings have reported the cause.
        for upload in self.bucket.unfinished_uploads(&self.multipart).await.unwrap_or_default() {
            let _ = self.bucket.abort_multipart(&self.multipart, &upload).await;
        }
        let removed = async {
            self.bucket.remove(&[self.multipart.clone(), self.presigned.clone()]).await?;
            self.bucket.remove(std::slice::from_ref(&self.object)).await?;
            for key in [&self.object, &self.multipart, &self.presigned] {
                if self.bucket.length(key).await?.is_some() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match removed.await {
            Ok(true) => Finding::ok(NAME, "deleted objects singly and in batches"),
            Ok(false) => Finding::problem(
                NAME,
                "a deleted object still exists",
                "use a server with strong consistency: a deleted object must be unreadable immediately",
            ),
            Err(error) => problem(NAME, DELETE, &error),
        }
    }
}

/// Checks that the header of the store, if there is one, has a supported version.
async fn header(bucket: &Bucket) -> Finding {
    const NAME: &str = "store";
    let found = match bucket.get(&StorageKey::header()).await {
        Ok(Some(found)) => StoreHeader::parse(&found.content),
        Ok(None) => return Finding::ok(NAME, "no store yet; `sgsend serve` creates it when it first starts"),
        Err(error) => return problem(NAME, GET, &error),
    };
    match found {
        Ok(header) => Finding::ok(NAME, format!("format version {}", header.v)),
        Err(error @ StoreError::IncompleteCopy { .. }) => {
            Finding::problem(NAME, error.to_string(), "run `sgsend store copy` until it finishes")
        }
        Err(error) => {
            let hint = "use the version of sgsend that created the store, or restore the store from a backup";
            Finding::problem(NAME, describe_error(&error), hint)
        }
    }
}

/// Turns the failure of a step that needs the IAM action `action` into a finding.
fn or_problem<T>(name: &'static str, action: &str, outcome: Result<T, StoreError>) -> Result<T, Finding> {
    outcome.map_err(|error| problem(name, action, &error))
}

/// Creates the finding of a failed step that needs the IAM action `action`.
fn problem(name: &'static str, action: &str, error: &StoreError) -> Finding {
    let hint = match status(error) {
        Some(401 | 403) => format!("allow {action}: examples/aws/iam-policy.json lists all required actions"),
        Some(405 | 501) => "this server lacks a feature that a store requires: use another server".to_owned(),
        _ => "retry; if the error persists, contact the operator of the S3 server".to_owned(),
    };
    Finding::problem(name, describe_error(error), hint)
}

/// Returns a bucket setting; `None` if the server responds with the error code in `unset`.
///
/// # Errors
/// A finding if the setting cannot be read; reading needs the IAM action `action`.
fn setting<T, E>(
    name: &'static str,
    action: &str,
    unset: Option<&str>,
    response: Result<T, SdkError<E>>,
) -> Result<Option<T>, Finding>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match response {
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
fn describe_error(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(source) => chain(source.as_ref()),
        other => chain(other),
    }
}
