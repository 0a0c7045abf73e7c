//! Addresses of a bucket's server: for the service, and for clients.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{ADMIN_KEY, HeldBucket, Home, ServerProcess};

/// Starts a service on `storage`, with the variables in `environment` besides credentials.
async fn serve(home: &Home, storage: String, environment: &[(&str, &str)]) -> ServerProcess {
    let credentials = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let server = home.server().admin_key().storage(&storage);
    let server = credentials.iter().chain(environment).fold(server, |server, (name, value)| server.env(name, value));
    tokio::task::spawn_blocking(|| server.start()).await.unwrap()
}

/// Returns the health of the service, and the instruction for the upload of a new transfer.
async fn health_and_upload(service: &ServerProcess) -> (Value, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let health = client.get(format!("{}/health", service.public)).send().await.unwrap().json().await.unwrap();
    let post = async |url: String, header: &str, secret: &str, body: &'static str| {
        let request = client.post(url).header(header, secret).header("content-type", "application/json").body(body);
        let response: Value = request.send().await.unwrap().json().await.unwrap();
        response
    };
    let created = post(format!("{}/tokens/create", service.admin), "x-api-key", ADMIN_KEY, r#"{"name":"x"}"#).await;
    let token = created["token"].as_str().unwrap_or_else(|| panic!("{created}"));
    let body = r#"{"size_bytes":100}"#;
    let created = post(format!("{}/transfers/create", service.public), "x-sgsend-token", token, body).await;
    (health, created["upload"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_urls_at_the_public_endpoint() {
    let (bucket, home) = (HeldBucket::start().await, Home::new());
    let storage = format!("{}&public_endpoint=https://files.example.org/s3", bucket.storage());
    let service = serve(&home, storage, &[]).await;
    let (health, upload) = health_and_upload(&service).await;
    assert_eq!(health["mode"]["upload"], "presigned", "{health}");
    let url = upload["url"].as_str().unwrap_or_else(|| panic!("{upload}"));
    assert!(url.starts_with("https://files.example.org/s3/") && url.contains("X-Amz-Signature="), "{url}");
    let page = reqwest::Client::builder().no_proxy().build().unwrap().get(&service.public).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("connect-src 'self' https://files.example.org;"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_pass_through_the_service_if_clients_cannot_reach_the_bucket() {
    let (bucket, home) = (HeldBucket::start().await, Home::new());
    let service = serve(&home, format!("{}&flow=bytes", bucket.storage()), &[("AWS_REGION", "us-east-1")]).await;
    let (health, upload) = health_and_upload(&service).await;
    assert_eq!(
        (&health["mode"]["upload"], &health["mode"]["download"]),
        (&"bytes".into(), &"bytes".into()),
        "{health}"
    );
    assert_eq!(upload["kind"], "bytes", "{upload}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_service_is_not_asked_for_the_region_of_another_server() {
    let (bucket, home) = (HeldBucket::start().await, Home::new());
    let metadata = TcpListener::bind("127.0.0.1:0").unwrap();
    metadata.set_nonblocking(true).unwrap();
    let address = format!("http://{}", metadata.local_addr().unwrap());
    let with_region = bucket.storage();
    let without_region = with_region.replace("&region=us-east-1", "");
    assert_ne!(with_region, without_region);
    for storage in [with_region, without_region] {
        let environment = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", address.as_str())];
        let service = serve(&home, storage.clone(), &environment).await;
        let (health, _) = health_and_upload(&service).await;
        assert_eq!(health["mode"]["upload"], "presigned", "{health}");
        assert_eq!(metadata.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "{storage}");
    }
}
