//! Connections of a service to its bucket under a low limit of file descriptors.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use crate::support::{ADMIN_KEY, HeldBucket, Home, eventually};

/// File descriptors of the service.
const DESCRIPTORS: u32 = 256;
/// Connections to the bucket that the service may open: 2 for each of 32 payload streams, and 32.
const BUCKET_CONNECTIONS: usize = 96;
/// Connections of clients, with up to 32 requests each.
const CLIENTS: usize = 16;
/// Requests per connection.
const REQUESTS: usize = 32;
/// Connections of the clients whose requests take all connections to the bucket.
///
/// The others follow: the service waits 10 seconds for the bucket, and a busy machine needs its time for them.
const FIRST_CLIENTS: usize = 4;

/// Client with one HTTP/2 connection to the public service at `url`.
struct Client(reqwest::Client, String);

impl Client {
    fn to(url: &str) -> Self {
        Self(client(), url.to_owned())
    }

    /// Requests the status of a transfer; returns the HTTP status and, of an error, its code.
    async fn status(&self, id: &str) -> (u16, String) {
        let response = self.0.get(format!("{}/transfers/id/{id}/status", self.1)).send().await.unwrap();
        let (status, retry_after) = (response.status().as_u16(), response.headers().get("retry-after").cloned());
        let body: Value = response.json().await.unwrap();
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!(retry_after.is_some(), status == 503, "{status} {code}: Retry-After {retry_after:?}");
        (status, code)
    }
}

/// Sends [`REQUESTS`] requests over each connection at once.
async fn flood(clients: &[Client], id: &str) -> Vec<(u16, String)> {
    join_all(clients.iter().flat_map(|client| (0..REQUESTS).map(|_| client.status(id)))).await
}

/// Builds a client that accepts the certificate of the test.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap()
}

/// Creates a token and a transfer; returns the transfer's id.
async fn transfer(public: &str, admin: &str) -> String {
    let client = client();
    let post = async |url: String, header: &str, secret: &str, body: &'static str| {
        let request = client.post(url).header(header, secret).header("content-type", "application/json").body(body);
        let response: Value = request.send().await.unwrap().json().await.unwrap();
        response
    };
    let token = post(format!("{admin}/tokens/create"), "x-api-key", ADMIN_KEY, r#"{"name":"flood"}"#).await;
    let secret = token["token"].as_str().unwrap_or_else(|| panic!("{token}"));
    let created = post(format!("{public}/transfers/create"), "x-sgsend-token", secret, r#"{"size_bytes":3}"#).await;
    created["transfer_id"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_bucket_uses_up_no_descriptors() {
    let bucket = HeldBucket::start().await;
    let home = Home::new();
    let server = home.server().under(&["prlimit", &format!("--nofile={DESCRIPTORS}")]).admin_key();
    let credentials = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];
    let server = credentials.into_iter().fold(server, |server, (name, value)| server.env(name, value));
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let certificate = home.file("cert.pem", own.pem().as_bytes());
    let key = home.file("key.pem", key.serialize_pem().as_bytes());
    let arguments = ["--rate-limit", "off", "--tls-cert", &certificate, "--tls-key", &key];
    let server = server.arguments(&arguments).storage(&bucket.storage());
    let service = tokio::task::spawn_blocking(|| server.start()).await.unwrap();
    let id = transfer(&service.public, &service.admin).await;
    let clients: Vec<_> = (0..CLIENTS).map(|_| Client::to(&service.public)).collect();
    // Each client has its connection before the bucket becomes slow.
    for client in &clients {
        assert_eq!(client.status(&id).await.0, 200);
    }

    bucket.hold(true);
    let (first, others) = clients.split_at(FIRST_CLIENTS);
    let rest = async {
        bucket.wait_for_waiting(BUCKET_CONNECTIONS).await;
        flood(others, &id).await
    };
    let release = async {
        bucket.wait_for_waiting(BUCKET_CONNECTIONS).await;
        // Requests without a permit fail by themselves; this one is the last of them, or one of the service's own.
        let last = Client::to(&service.public).status(&id).await;
        bucket.hold(false);
        last
    };
    let (first, others, last) = tokio::join!(flood(first, &id), rest, release);
    let mut numbers = BTreeMap::<(u16, String), usize>::new();
    for response in first.into_iter().chain(others) {
        *numbers.entry(response).or_default() += 1;
    }
    println!("{numbers:?}, at most {} connections to the bucket", bucket.most_connections());
    let busy = (503, "server_busy".to_owned());
    assert_eq!(last, busy);
    let (answered, rejected) = (numbers.get(&(200, String::new())).copied(), numbers.get(&busy).copied());
    let (answered, rejected) = (answered.unwrap_or_default(), rejected.unwrap_or_default());
    // On a slow machine, requests may wait for the bucket for longer than they are allowed to. The log below shows that
    // none failed for want of a descriptor.
    let timed_out = numbers.get(&(503, "storage_unavailable".to_owned())).copied().unwrap_or_default();
    assert_eq!(answered + rejected + timed_out, CLIENTS * REQUESTS, "other responses: {numbers:?}");
    assert!(rejected > 0 && answered > 0, "{numbers:?}");
    assert!(bucket.most_connections() <= BUCKET_CONNECTIONS, "{} connections", bucket.most_connections());

    eventually(async || (clients[0].status(&id).await.0 == 200).then_some(())).await;
    transfer(&service.public, &service.admin).await;
    drop(clients);
    let log = tokio::task::spawn_blocking(|| service.terminate()).await.unwrap();
    assert!(!log.contains("Too many open files") && !log.contains("cannot accept"), "{log}");
}
