//! Buckets that pages may access.

use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
use serde_json::Value;
use sgsend::server::store::S3Location;

use super::bucket;

/// Creates a bucket that all origins may use, and returns the location of its store. The CORS rules are those of
/// `examples/aws/cors.json` for all origins, because the ports of the services are not known yet.
pub(crate) fn open_bucket() -> S3Location {
    let location = bucket::fresh_from_anywhere();
    let endpoint = location.endpoint.as_ref().unwrap().to_string();
    let example = include_str!("../../../examples/aws/cors.json");
    let rule = &serde_json::from_str::<Value>(example).unwrap()["CORSRules"][0];
    let texts = |name: &str| {
        let values = rule[name].as_array().unwrap().iter();
        values.map(|value| value.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let rule = CorsRule::builder().allowed_origins("*").set_allowed_methods(Some(texts("AllowedMethods")));
    let rule = rule.set_allowed_headers(Some(texts("AllowedHeaders"))).set_expose_headers(Some(texts("ExposeHeaders")));
    let rules = CorsConfiguration::builder().cors_rules(rule.build().unwrap()).build().unwrap();
    let bucket = location.bucket.clone();
    let put = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = bucket::client(&endpoint).await;
            client.put_bucket_cors().bucket(bucket).cors_configuration(rules).send().await.unwrap();
        });
    };
    std::thread::spawn(put).join().unwrap();
    location
}
