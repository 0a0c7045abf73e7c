//! Checks of basic access to the bucket: credentials, clock, endpoint and region.

use aws_config::BehaviorVersion;
use aws_sdk_s3::config::ProvideCredentials;
use aws_sdk_s3::error::ProvideErrorMetadata;

use super::presigned::{send_without_credentials, unsigned_get};
use super::{Scratch, describe_error};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::error::chain;
use crate::domain::maintenance::finding::Finding;
use crate::domain::timestamp::Timestamp;
use crate::server::store::s3::actions::LIST;
use crate::server::store::s3::error::{request_error, status};

/// Checks that credentials are configured.
pub(super) async fn credentials() -> Finding {
    const NAME: &str = "credentials";
    let hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or assign a role to this machine";
    let Some(provider) = aws_config::load_defaults(BehaviorVersion::latest()).await.credentials_provider() else {
        return Finding::problem(NAME, "no credentials found", hint);
    };
    match provider.provide_credentials().await {
        Ok(found) => Finding::ok(NAME, format!("access key {}", found.access_key_id())),
        Err(error) => Finding::problem(NAME, chain(&error), hint),
    }
}

/// Compares this machine's clock with the server's.
pub(super) async fn clock(scratch: &Scratch) -> Finding {
    let response = async { send_without_credentials(unsigned_get(&scratch.bucket, &scratch.absent).await?).await };
    match response.await {
        Ok(response) => Finding::clock(response.date.as_deref().and_then(Timestamp::from_http_date), SystemClock.now()),
        Err(error) => {
            Finding::cannot_tell("clock", describe_error(&error), "make sure that this machine can reach the server")
        }
    }
}

/// Checks that the bucket responds; the flag tells whether further checks make sense.
pub(super) async fn bucket(scratch: &Scratch) -> (Finding, bool) {
    const NAME: &str = "bucket";
    let bucket = &scratch.bucket;
    let ours = bucket.client.config().region().map(ToString::to_string).unwrap_or_default();
    let prefix = bucket.object_key(&scratch.object);
    let Err(error) = bucket.client.list_objects_v2().bucket(&bucket.name).prefix(prefix).max_keys(1).send().await
    else {
        return (Finding::ok(NAME, format!("{} responds in region {ours}", bucket.name)), true);
    };
    let theirs = error.raw_response().and_then(|response| response.headers().get("x-amz-bucket-region"));
    if let Some(theirs) = theirs.filter(|theirs| *theirs != ours) {
        let detail = format!("{} is in region {theirs}, but the request went to region {ours}", bucket.name);
        return (
            Finding::problem(NAME, detail, format!("add region={theirs} to the storage URL, or set AWS_REGION")),
            false,
        );
    }
    let code = error.code().unwrap_or_default().to_owned();
    let hint = match (status(&error), code.as_str()) {
        (None, _) => "check the endpoint and the network; for AWS, omit the endpoint".to_owned(),
        (_, "NoSuchBucket") => {
            format!("check the name of the bucket, or create it: aws s3api create-bucket --bucket {}", bucket.name)
        }
        (_, "RequestTimeTooSkewed") => "synchronise this machine's clock, for example with NTP".to_owned(),
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => {
            "check the credentials: access key and secret must belong together, and to this server".to_owned()
        }
        (Some(301 | 307 | 400), _) => "check region and endpoint: the bucket is not at this endpoint".to_owned(),
        (Some(401 | 403), _) => {
            format!("allow {LIST} on the bucket: examples/aws/iam-policy.json lists all required actions")
        }
        _ => "check that the endpoint is an S3 server".to_owned(),
    };
    (Finding::problem(NAME, describe_error(&request_error(error)), hint), code == "AccessDenied")
}
