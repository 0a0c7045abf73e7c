//! The examination of a bucket: whether a store can live in it, and whether it keeps to itself what it is given.
//!
//! It writes under `PREFIX/doctor/`, where no store keeps anything, and removes what it wrote.

mod access;
mod conditions;
mod configuration;
mod cors;
mod exposure;
mod multipart;
mod objects;
mod presigned;
mod refusal;
mod scratch;

use super::bucket::Bucket;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::{Finding, Verdict};
use crate::server::store::S3Location;
use scratch::Scratch;

/// Examines the bucket at `location`. `page` is the web page that is to reach it, where there is a certain one.
///
/// What builds on something that failed is not tried.
pub async fn examine(location: &S3Location, page: Option<&BaseUrl>) -> Vec<Finding> {
    let scratch = Scratch::new(Bucket::at(location).await);
    let mut findings = vec![access::credentials().await];
    if findings[0].verdict != Verdict::Ok {
        return findings;
    }
    findings.push(access::clock(&scratch).await);
    let (bucket, can_go_on) = access::bucket(&scratch).await;
    findings.push(bucket);
    if !can_go_on {
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
