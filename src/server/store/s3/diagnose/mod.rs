//! `doctor` checks of a bucket: whether it supports a store and keeps its contents private.
//!
//! The checks write under `PREFIX/doctor/`, which no store uses, and remove their objects afterwards.

mod access;
mod conditions;
mod configuration;
mod cors;
mod exposure;
mod failure;
mod multipart;
mod objects;
mod presigned;
mod scratch;

use super::bucket::Bucket;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::{Finding, Verdict};
use crate::server::store::S3Location;
use scratch::Scratch;

/// Checks the bucket at `location`, and its CORS rules for the web page `page` if given.
///
/// Checks that depend on a failed check are skipped.
pub async fn diagnose(location: &S3Location, page: Option<&BaseUrl>) -> Vec<Finding> {
    let scratch = Scratch::new(Bucket::at(location).await);
    let mut findings = vec![access::credentials().await];
    if findings[0].verdict != Verdict::Ok {
        return findings;
    }
    findings.push(access::clock(&scratch).await);
    let (bucket, accessible) = access::bucket(&scratch).await;
    findings.push(bucket);
    if !accessible {
        return findings;
    }
    let before = findings.len();
    findings.extend(objects::examine(&scratch).await);
    if findings[before].verdict == Verdict::Ok {
        findings.extend(multipart::examine(&scratch).await);
        findings.extend(conditions::examine(&scratch).await);
        findings.extend(presigned::examine(&scratch).await);
        findings.push(scratch.remove().await);
    }
    findings.push(cors::examine(&scratch.bucket, page).await);
    findings.extend(exposure::examine(&scratch.bucket).await);
    findings.extend(configuration::examine(&scratch.bucket).await);
    findings
}
