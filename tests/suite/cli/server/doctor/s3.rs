//! `sgsend doctor` on buckets of real S3 servers.

use aws_sdk_s3::types::{BucketVersioningStatus, CorsConfiguration, CorsRule, VersioningConfiguration};
use sgsend::server::store::S3Location;

use super::{assert_checks, check};
use crate::support::{FinishedCommand, Home, bucket};

/// Runs `sgsend doctor` with the credentials of the test run, but with the given secret.
fn doctor(location: &S3Location, extra_arguments: &[&str], secret: &str) -> FinishedCommand {
    let home = Home::new();
    let storage = location.to_string();
    let mut command = home.sgsend(&[&["doctor", "--json", "--storage", &storage], extra_arguments].concat());
    for (name, value) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env(name, value);
    }
    FinishedCommand::of(command.env("AWS_SECRET_ACCESS_KEY", secret).output().unwrap())
}

fn secret() -> String {
    std::env::var("AWS_SECRET_ACCESS_KEY").unwrap()
}

fn on_localstack() -> bool {
    std::env::var("SGSEND_TEST_S3_SERVER").unwrap() == "localstack"
}

/// Returns the checks that always fail on this server: `LocalStack` allows anonymous access.
fn always_wrong() -> Vec<&'static str> {
    if on_localstack() { vec!["anonymous_get"] } else { Vec::new() }
}

async fn client(location: &S3Location) -> aws_sdk_s3::Client {
    bucket::client(location.endpoint.as_ref().unwrap().as_str()).await
}

async fn allow_pages(location: &S3Location) {
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    let rule = CorsRule::builder()
        .set_allowed_origins(texts(&["https://send.example.org"]))
        .set_allowed_methods(texts(&["GET", "HEAD", "PUT"]))
        .set_allowed_headers(texts(&["content-type", "if-none-match", "range"]))
        .set_expose_headers(texts(&["ETag", "Content-Length", "Content-Range"]));
    let rules = CorsConfiguration::builder().cors_rules(rule.build().unwrap()).build().unwrap();
    let put = client(location).await.put_bucket_cors().bucket(&location.bucket).cors_configuration(rules);
    put.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn a_healthy_bucket_has_no_findings() {
    let location = bucket::fresh().await;
    allow_pages(&location).await;
    let finished = doctor(&location, &["--public-url", "https://send.example.org/base"], &secret());
    assert_checks(&finished, "problem", &always_wrong());
    assert_checks(&finished, "warning", &[]);
    // Neither test server implements every AWS feature.
    let unreadable = if on_localstack() { "bucket_policy" } else { "public_access_block" };
    assert_checks(&finished, "cannot_tell", &[unreadable]);

    let client = client(&location).await;
    let remaining = client.list_objects_v2().bucket(&location.bucket).send().await.unwrap();
    assert!(remaining.contents().is_empty(), "{remaining:?}");
    let remaining = client.list_multipart_uploads().bucket(&location.bucket).send().await.unwrap();
    assert!(remaining.uploads().is_empty(), "{remaining:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn a_bucket_without_the_cors_rule_is_reported() {
    let location = bucket::fresh().await;
    assert_checks(&doctor(&location, &[], &secret()), "warning", &["cors"]);
    allow_pages(&location).await;
    assert_checks(&doctor(&location, &[], &secret()), "warning", &[]);
    let finished = doctor(&location, &["--public-url", "https://other.example.org"], &secret());
    assert_checks(&finished, "warning", &["cors"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn a_versioned_bucket_is_reported() {
    let location = bucket::fresh().await;
    for (status, verdict) in
        [(BucketVersioningStatus::Enabled, "problem"), (BucketVersioningStatus::Suspended, "warning")]
    {
        let versioning = VersioningConfiguration::builder().status(status).build();
        let put = client(&location).await.put_bucket_versioning().bucket(&location.bucket);
        put.versioning_configuration(versioning).send().await.unwrap();
        let finished = doctor(&location, &[], &secret());
        assert_eq!(check(&finished.json(), "versioning")["verdict"], verdict);
        assert_eq!(finished.exit, i32::from(verdict == "problem" || on_localstack()));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn a_missing_bucket_is_reported() {
    let mut location = bucket::fresh().await;
    location.bucket.push_str("-not");
    let finished = doctor(&location, &[], &secret());
    assert_checks(&finished, "problem", &["bucket"]);
    assert!(check(&finished.json(), "bucket")["hint"].as_str().unwrap().contains(&location.bucket));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn a_wrong_secret_is_reported() {
    if on_localstack() {
        // `LocalStack` accepts every secret.
        return;
    }
    let finished = doctor(&bucket::fresh().await, &[], "wrong");
    assert_checks(&finished, "problem", &["bucket"]);
    assert!(check(&finished.json(), "bucket")["hint"].as_str().unwrap().contains("credentials"));
}
