//! Idle and stalled HTTP/2 connections are closed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::ServerName;
use sgsend::server::{Settings, TlsFiles};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::support::{Service, Started};

/// Upper bound for the lifetime of these connections.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service with TLS, and the client configuration that trusts it.
struct Encrypted {
    service: Started,
    trusted: Arc<rustls::ClientConfig>,
    _files: TempDir,
}

impl Encrypted {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let files = tempfile::tempdir().unwrap();
        let tls = TlsFiles { certificate: files.path().join("cert.pem"), key: files.path().join("key.pem") };
        std::fs::write(&tls.certificate, own.pem()).unwrap();
        std::fs::write(&tls.key, key.serialize_pem()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(own.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trusted = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut trusted = trusted.unwrap().with_root_certificates(roots).with_no_client_auth();
        trusted.alpn_protocols = vec![b"h2".to_vec()];
        let service = Service::any().with(change).with(|settings| settings.tls = Some(tls)).start().await;
        Self { service, trusted: Arc::new(trusted), _files: files }
    }

    /// Opens a connection whose task answers PING frames; the task ends when the connection ends.
    async fn connect(&self, builder: &Builder) -> (SendRequest<Bytes>, JoinHandle<()>) {
        let stream = TcpStream::connect(self.service.public).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(self.trusted.clone()).connect(name, stream).await.unwrap();
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        (requests, tokio::spawn(async move { drop(connection.await) }))
    }
}

fn get(path: &str) -> http::Request<()> {
    http::Request::get(format!("https://localhost{path}")).body(()).unwrap()
}

#[tokio::test]
async fn connections_that_only_answer_ping_are_closed() {
    let place = Encrypted::start(|settings| settings.timeouts.http2_idle = Duration::from_millis(200)).await;
    let (requests, connection) = place.connect(&Builder::new()).await;
    let mut requests = requests.ready().await.unwrap();
    let (response, _) = requests.send_request(get("/health"), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 200);
    tokio::time::timeout(PATIENCE, connection).await.expect("an idle connection stays open").unwrap();
}

#[tokio::test]
async fn silent_connections_are_closed() {
    let place = Encrypted::start(|settings| settings.timeouts.http2_idle = Duration::from_millis(200)).await;
    let (_requests, connection) = place.connect(&Builder::new()).await;
    tokio::time::timeout(PATIENCE, connection).await.expect("a silent connection stays open").unwrap();
}

#[tokio::test]
async fn clients_that_stop_reading_are_disconnected() {
    let place = Encrypted::start(|settings| settings.timeouts.stall = Duration::from_millis(100)).await;
    let (requests, connection) = place.connect(Builder::new().initial_window_size(0)).await;
    let mut requests = requests.ready().await.unwrap();
    let (response, _) = requests.send_request(get("/openapi.json"), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    tokio::time::timeout(PATIENCE, connection).await.expect("an unread response blocks forever").unwrap();
}
