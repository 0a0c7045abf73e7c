//! Checks for public access to the bucket.

use aws_sdk_s3::types::Grant;

use super::failure::setting;
use crate::domain::maintenance::finding::Finding;
use crate::server::store::s3::actions::{GET_ACCESS_BLOCK, GET_ACL, GET_POLICY_STATUS};
use crate::server::store::s3::bucket::Bucket;

/// URI suffixes of the predefined ACL groups "everybody" and "everybody with an AWS account".
const EVERYBODY: [&str; 2] = ["/global/AllUsers", "/global/AuthenticatedUsers"];

/// Checks the three settings that can make a bucket public.
pub(super) async fn examine(bucket: &Bucket) -> [Finding; 3] {
    let either = |finding: Result<Finding, Finding>| finding.unwrap_or_else(|unreadable| unreadable);
    [access_block(bucket).await, policy(bucket).await, acl(bucket).await].map(either)
}

async fn access_block(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "public_access_block";
    let response = bucket.client.get_public_access_block().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ACCESS_BLOCK, Some("NoSuchPublicAccessBlockConfiguration"), response)?;
    let block = found.and_then(|found| found.public_access_block_configuration);
    let all = block.as_ref().is_some_and(|block| {
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets]
            .iter()
            .all(|part| *part == Some(true))
    });
    Ok(if all {
        Finding::ok(NAME, "public access is blocked")
    } else {
        let detail =
            if block.is_some() { "public access is blocked only partially" } else { "public access is not blocked" };
        let hint = "enable all four settings with aws s3api put-public-access-block: see examples/aws/README.md";
        Finding::warning(NAME, detail, hint)
    })
}

async fn policy(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "bucket_policy";
    let response = bucket.client.get_bucket_policy_status().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_POLICY_STATUS, Some("NoSuchBucketPolicy"), response)?;
    let public = found.map(|found| found.policy_status.and_then(|status| status.is_public));
    Ok(match public {
        None => Finding::ok(NAME, "no policy"),
        Some(Some(false)) => Finding::ok(NAME, "not public"),
        Some(Some(true)) => {
            let hint =
                "remove the statement that allows \"Principal\": \"*\"; clients use presigned URLs and need no policy";
            Finding::problem(NAME, "the policy makes the bucket public", hint)
        }
        Some(None) => Finding::cannot_tell(
            NAME,
            "the server does not report whether the policy is public",
            "check the policy manually",
        ),
    })
}

async fn acl(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "bucket_acl";
    let response = bucket.client.get_bucket_acl().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ACL, None, response)?;
    let grants = found.and_then(|found| found.grants).unwrap_or_default();
    Ok(if grants.iter().any(is_for_everybody) {
        let hint = format!("aws s3api put-bucket-acl --bucket {} --acl private", bucket.name);
        Finding::problem(NAME, "the ACL grants everybody access to the bucket", hint)
    } else {
        Finding::ok(NAME, "the ACL grants no public access")
    })
}

fn is_for_everybody(grant: &Grant) -> bool {
    let group = grant.grantee().and_then(|grantee| grantee.uri());
    group.is_some_and(|uri| EVERYBODY.iter().any(|everybody| uri.ends_with(everybody)))
}
