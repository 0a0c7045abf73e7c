//! Whether strangers get at what lies in the bucket.

use aws_sdk_s3::types::Grant;

use super::refusal::setting;
use crate::domain::maintenance::finding::Finding;
use crate::server::store::s3::actions::{GET_ACCESS_BLOCK, GET_ACL, GET_POLICY_STATUS};
use crate::server::store::s3::bucket::Bucket;

/// The groups that are no group: everybody, and everybody with an account.
const EVERYBODY: [&str; 2] = ["/global/AllUsers", "/global/AuthenticatedUsers"];

/// Looks at the three ways to make a bucket public.
pub(super) async fn examine(bucket: &Bucket) -> [Finding; 3] {
    let either = |finding: Result<Finding, Finding>| finding.unwrap_or_else(|dark| dark);
    [access_block(bucket).await, policy(bucket).await, acl(bucket).await].map(either)
}

async fn access_block(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "public_access_block";
    let asked = bucket.client.get_public_access_block().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ACCESS_BLOCK, Some("NoSuchPublicAccessBlockConfiguration"), asked)?;
    let block = found.and_then(|found| found.public_access_block_configuration);
    let all = block.as_ref().is_some_and(|block| {
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets]
            .iter()
            .all(|part| *part == Some(true))
    });
    Ok(if all {
        Finding::ok(NAME, "the bucket cannot be made public by mistake")
    } else {
        let detail = if block.is_some() { "only parts of public access are blocked" } else { "there is none" };
        let hint = "aws s3api put-public-access-block, with all four parts: see examples/aws/README.md";
        Finding::warning(NAME, detail, hint)
    })
}

async fn policy(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "bucket_policy";
    let asked = bucket.client.get_bucket_policy_status().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_POLICY_STATUS, Some("NoSuchBucketPolicy"), asked)?;
    let public = found.map(|found| found.policy_status.and_then(|status| status.is_public));
    Ok(match public {
        None => Finding::ok(NAME, "there is none"),
        Some(Some(false)) => Finding::ok(NAME, "it is not public"),
        Some(Some(true)) => {
            let hint =
                "take the statement out that allows \"Principal\": \"*\"; clients need none, their URLs are signed";
            Finding::problem(NAME, "it makes the bucket public", hint)
        }
        Some(None) => Finding::cannot_tell(NAME, "the server does not say whether it is public", "look at the policy"),
    })
}

async fn acl(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "bucket_acl";
    let asked = bucket.client.get_bucket_acl().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ACL, None, asked)?;
    let grants = found.and_then(|found| found.grants).unwrap_or_default();
    Ok(if grants.iter().any(is_for_everybody) {
        let hint = format!("aws s3api put-bucket-acl --bucket {} --acl private", bucket.name);
        Finding::problem(NAME, "it gives everybody a right to the bucket", hint)
    } else {
        Finding::ok(NAME, "nobody else has a right to the bucket")
    })
}

fn is_for_everybody(grant: &Grant) -> bool {
    let group = grant.grantee().and_then(|grantee| grantee.uri());
    group.is_some_and(|uri| EVERYBODY.iter().any(|everybody| uri.ends_with(everybody)))
}
