//! Buckets on the S3 server that `tests/s3.sh` has started.

use sgsend::domain::random;
use sgsend::server::store::S3Location;

/// Whether there is such a server.
#[allow(dead_code, reason = "not every test binary asks")]
pub(crate) fn is_there() -> bool {
    std::env::var_os("SGSEND_TEST_S3_ENDPOINT").is_some()
}

/// The location of a store in a bucket that was just made.
pub(crate) async fn fresh() -> S3Location {
    let endpoint = std::env::var("SGSEND_TEST_S3_ENDPOINT").expect("tests/s3.sh names the server");
    let bucket = format!("sgsend-test-{}", random::name());
    client(&endpoint).await.create_bucket().bucket(&bucket).send().await.expect("the server makes a bucket");
    format!("s3://{bucket}/some/prefix?endpoint={endpoint}&path_style=1").parse().expect("it is a location")
}

/// The same, for who is in no runtime or must not block the one that it is in.
#[allow(dead_code, reason = "not every test binary asks")]
pub(crate) fn fresh_from_anywhere() -> S3Location {
    let make = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(fresh())
    };
    std::thread::spawn(make).join().expect("the server makes a bucket")
}

/// What a process needs in its environment to use the server.
#[allow(dead_code, reason = "not every test binary asks")]
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter(|(name, _)| name.starts_with("AWS_"))
}

/// A client of the server, for what no store does.
pub(crate) async fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let shared = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let config = aws_sdk_s3::config::Builder::from(&shared).endpoint_url(endpoint).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}
