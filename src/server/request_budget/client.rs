//! Services over a store without background jobs, and the requests of senders and recipients to them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;
use url::Url;

use crate::domain::audit::{ServiceName, WriteMode};
use crate::domain::clock::ManualClock;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::link_text::{WRAPPED_KEY_BYTES, WrappedKey};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::crypto::request_secret::RequestSecret;
use crate::domain::id::LinkId;
use crate::domain::limits::free_space::MinFreeSpace;
use crate::domain::notification::{DispatchResult, Outbox};
use crate::domain::store::Store;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::PlainToken;
use crate::server::state::App;
use crate::server::{AdminKey, Server, Settings, StorageLocation, router};

const START: Timestamp = Timestamp::from_millis(1_767_268_800_000);
const ADMIN_KEY: &str = "an admin key for tests, long enough";
const PAYLOAD: &[u8] = b"abc";

/// Services over one store, and a sender with a token.
pub(super) struct BudgetClient {
    server: Server,
    public: Router,
    clock: Arc<ManualClock>,
    token: String,
}

/// Transfer as its sender knows it.
#[derive(Clone, Debug)]
pub(super) struct BudgetTransfer {
    pub(super) id: String,
    /// Presigned URL for the payload, if the service gave one.
    url: Option<String>,
}

/// Further link with the proof of its recipients.
pub(super) struct TestLink {
    pub(super) id: String,
    proof: AccessProof,
}

impl TestLink {
    pub(super) fn new() -> Self {
        Self { id: LinkId::random().to_string(), proof: AccessProof::of(&PayloadKey::random()) }
    }
}

impl AsRef<str> for BudgetTransfer {
    fn as_ref(&self) -> &str {
        &self.id
    }
}

impl BudgetClient {
    /// Starts the services over `store`, and creates a token.
    pub(super) async fn over(store: Arc<dyn Store>) -> Self {
        let settings = Settings {
            audit: WriteMode::Immediate,
            min_free: MinFreeSpace::Bytes(0),
            admin_key: Some(AdminKey::new(ADMIN_KEY).unwrap()),
            ..Settings::new(StorageLocation::Memory)
        };
        let clock = Arc::new(ManualClock::at(START));
        let server = Box::pin(Server::over(store, settings, clock.clone(), None)).await.unwrap();
        let of = |service| router::router(&server.app, service, &server.settings, None);
        let (public, admin) = (of(ServiceName::Public), of(ServiceName::Admin));
        let key = ("x-api-key", ADMIN_KEY.to_owned());
        let created = send(&admin, Method::POST, "/tokens/create", &[key], br#"{"name":"press"}"#).await;
        let token = format!("Bearer {}", created["token"].as_str().unwrap());
        Self { server, public, clock, token }
    }

    fn app(&self) -> &App {
        &self.server.app
    }

    /// Creates an outbox of another server over `store`, with the same clock.
    pub(super) fn outbox_over(&self, store: Arc<dyn Store>) -> Outbox {
        Outbox::new(store, self.clock.clone(), Vec::new())
    }

    /// Creates a transfer with additional JSON members.
    pub(super) async fn create(&self, members: &str) -> BudgetTransfer {
        let body = format!(r#"{{"size_bytes":{}{members}}}"#, PAYLOAD.len());
        sent(&self.as_sender("/transfers/create", &body).await)
    }

    pub(super) async fn completed(&self, members: &str) -> BudgetTransfer {
        let transfer = self.create(members).await;
        self.upload(&transfer).await;
        self.complete(&transfer).await;
        transfer
    }

    /// Uploads the payload: to the bucket if the service gave a presigned URL.
    pub(super) async fn upload(&self, transfer: &BudgetTransfer) {
        if let Some(url) = &transfer.url {
            return put_payload(&url.parse().unwrap()).await;
        }
        let path = format!("/transfers/id/{}/payload/upload-bytes", transfer.id);
        let headers = [self.authorization(), ("content-type", "application/octet-stream".to_owned())];
        send(&self.public, Method::POST, &path, &headers, PAYLOAD).await;
    }

    pub(super) async fn complete(&self, transfer: &BudgetTransfer) {
        self.as_sender(&format!("/transfers/id/{}/upload/complete", transfer.id), "{}").await;
    }

    pub(super) async fn delete(&self, transfer: &BudgetTransfer) {
        self.as_sender(&format!("/transfers/id/{}/delete", transfer.id), "{}").await;
    }

    pub(super) async fn status(&self, transfer: &BudgetTransfer) {
        send(&self.public, Method::GET, &format!("/transfers/id/{}/status", transfer.id), &[], b"").await;
    }

    pub(super) async fn link_status(&self, link: &TestLink) {
        let path = format!("/transfers/id/{}/status", link.id);
        send(&self.public, Method::GET, &path, &[access(link)], b"").await;
    }

    /// Counts a download under a new grant, which it returns.
    pub(super) async fn grant(&self, id: impl AsRef<str>, link: Option<&TestLink>) -> String {
        let grant = Grant::random().to_text().to_string();
        let path = format!("/transfers/id/{}/download/create-presign-url", id.as_ref());
        let headers: Vec<_> = link.map(access).into_iter().chain([json()]).collect();
        send(&self.public, Method::POST, &path, &headers, format!(r#"{{"grant":"{grant}"}}"#).as_bytes()).await;
        grant
    }

    /// Downloads a range through the service, under a grant.
    pub(super) async fn download(&self, transfer: &BudgetTransfer, grant: &str) {
        let path = format!("/transfers/id/{}/payload/download-bytes", transfer.id);
        let headers = [("x-sgsend-grant", grant.to_owned()), ("range", "bytes=0-1".to_owned())];
        send(&self.public, Method::GET, &path, &headers, b"").await;
    }

    pub(super) async fn create_link(&self, transfer: &BudgetTransfer, link: &TestLink) {
        let wrapped = String::from(WrappedKey::from_bytes(&[7; WRAPPED_KEY_BYTES]));
        let (id, digest) = (&link.id, link.proof.digest());
        let body = format!(
            r#"{{"link_id":"{id}","wrapped_key":"{wrapped}","access_sha256":"{digest}","access_from_passphrase":false}}"#
        );
        self.as_sender(&format!("/transfers/id/{}/links/create", transfer.id), &body).await;
    }

    pub(super) async fn update_link(&self, transfer: &BudgetTransfer, link: &TestLink, change: &str) {
        self.as_sender(&format!("/transfers/id/{}/links/id/{}/update", transfer.id, link.id), change).await;
    }

    pub(super) async fn revoke_link(&self, transfer: &BudgetTransfer, link: &TestLink) {
        self.as_sender(&format!("/transfers/id/{}/links/id/{}/revoke", transfer.id, link.id), "{}").await;
    }

    /// Creates a request, and returns the text of its token.
    pub(super) async fn create_request(&self) -> String {
        let (secret, anyone) = (RequestSecret::random(), "0123456789abcdef".parse().unwrap());
        let digest = secret.token(anyone).secret_sha256();
        let created = self.as_sender("/requests/create", &format!(r#"{{"secret_sha256":"{digest}"}}"#)).await;
        let token: PlainToken = secret.token(created["token_id"].as_str().unwrap().parse().unwrap());
        token.to_text().to_string()
    }

    pub(super) async fn create_as_guest(&self, token: &str) {
        let proof = GuestProof::random().digest().to_string();
        let headers = [("authorization", format!("Bearer {token}")), ("x-sgsend-guest", proof), json()];
        let body = format!(r#"{{"size_bytes":{}}}"#, PAYLOAD.len());
        send(&self.public, Method::POST, "/transfers/create", &headers, body.as_bytes()).await;
    }

    pub(super) fn advance_clock(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(super) async fn flush_counts(&self) {
        self.app().transfers.flush_counts().await;
    }

    pub(super) async fn dispatch(&self) -> DispatchResult {
        self.app().outbox.dispatch().await.unwrap()
    }

    pub(super) async fn sweep(&self) {
        self.app().transfers.sweep().await.unwrap();
    }

    fn authorization(&self) -> (&'static str, String) {
        ("authorization", self.token.clone())
    }

    async fn as_sender(&self, path: &str, body: &str) -> Value {
        send(&self.public, Method::POST, path, &[self.authorization(), json()], body.as_bytes()).await
    }
}

fn json() -> (&'static str, String) {
    ("content-type", "application/json".to_owned())
}

fn access(link: &TestLink) -> (&'static str, String) {
    ("x-sgsend-access", link.proof.to_text().to_string())
}

/// Puts the payload to a presigned URL of the test server.
async fn put_payload(url: &Url) {
    let address = url.socket_addrs(|| None).unwrap();
    let mut connection = TcpStream::connect(address[0]).await.unwrap();
    let (path, query) = (url.path(), url.query().unwrap_or_default());
    let length = PAYLOAD.len();
    let head = format!("PUT {path}?{query} HTTP/1.1\r\nif-none-match: *\r\ncontent-length: {length}\r\n\r\n");
    connection.write_all(&[head.as_bytes(), PAYLOAD].concat()).await.unwrap();
    connection.shutdown().await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

fn sent(created: &Value) -> BudgetTransfer {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let url = text(&created["upload"]["url"]).filter(|url| url.starts_with("http"));
    BudgetTransfer { id: text(&created["transfer_id"]).unwrap(), url }
}

/// Sends a request, and returns the JSON of the response; `Null` for another body.
async fn send(router: &Router, method: Method, path: &str, headers: &[(&str, String)], body: &[u8]) -> Value {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let response = tokio::time::timeout(Duration::from_mins(1), router.clone().oneshot(request)).await;
    let response = response.expect("a response within a minute").unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap_or_default()
}
