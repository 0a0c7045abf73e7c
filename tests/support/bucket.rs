//! Buckets on the S3 server started by `tests/s3.sh`.

use sgsend::domain::crypto::random;
use sgsend::server::store::S3Location;

/// Returns whether such a server is configured.
#[allow(dead_code, reason = "not used by every test binary")]
pub(crate) fn is_there() -> bool {
    std::env::var_os("SGSEND_TEST_S3_ENDPOINT").is_some()
}

/// Creates a bucket and returns the location of a store in it.
pub(crate) async fn fresh() -> S3Location {
    let endpoint = std::env::var("SGSEND_TEST_S3_ENDPOINT").expect("SGSEND_TEST_S3_ENDPOINT, set by tests/s3.sh");
    let bucket = format!("sgsend-test-{}", random::name());
    client(&endpoint).await.create_bucket().bucket(&bucket).send().await.expect("the server creates a bucket");
    format!("s3://{bucket}/some/prefix?endpoint={endpoint}&path_style=1").parse().expect("a valid S3 location")
}

/// Does the same as [`fresh`] outside of a runtime, or inside a runtime that must not be blocked.
#[allow(dead_code, reason = "not used by every test binary")]
pub(crate) fn fresh_from_anywhere() -> S3Location {
    let make = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a Tokio runtime").block_on(fresh())
    };
    std::thread::spawn(make).join().expect("the server creates a bucket")
}

/// Returns the environment variables that a process needs to use the server.
#[allow(dead_code, reason = "not used by every test binary")]
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter(|(name, _)| name.starts_with("AWS_"))
}

/// Returns an S3 client of the server, for operations that no store offers.
pub(crate) async fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let shared = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let config = aws_sdk_s3::config::Builder::from(&shared).endpoint_url(endpoint).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}
