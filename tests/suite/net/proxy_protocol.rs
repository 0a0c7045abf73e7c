//! The PROXY protocol: which connections have a header, and whose address counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use serde_json::Value;
use sgsend::domain::address::{TrustedProxies, network};
use sgsend::domain::audit::IpMode;
use sgsend::server::{Settings, TlsFiles};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::support::{Home, Service, Started};

/// Address of the only trusted proxy. Other connections of the tests come from 127.0.0.1.
const PROXY: &str = "127.0.0.2";
const CLIENT: &str = "PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n";
const HEALTH: &str = "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
/// A LOCAL header of version 2.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

async fn service(change: impl FnOnce(&mut Settings)) -> Started {
    let behind = |settings: &mut Settings| {
        settings.ip_mode = IpMode::Full;
        settings.client_address.proxies = TrustedProxies::new(vec![network(PROXY).unwrap()]);
        settings.proxy_protocol = true;
        change(settings);
    };
    Service::any().with(behind).start().await
}

/// Connects from an address of this machine.
async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Sends bytes, and returns all that comes back. A closed connection may also be reset.
async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), parts: &[&[u8]]) -> String {
    let sent = parts.concat();
    let mut response = Vec::new();
    if stream.write_all(&sent).await.is_ok() {
        drop(stream.read_to_end(&mut response).await);
    }
    String::from_utf8_lossy(&response).into_owned()
}

async fn request(service: &Started, from: &str, header: &[u8], request: &str) -> String {
    exchange(&mut connect(from, service.public).await, &[header, request.as_bytes()]).await
}

/// Returns the recorded client address of a request with a PROXY header and a forwarded header.
async fn recorded(service: &Started, header: &[u8]) -> Value {
    let sender = service.sender().await;
    let id = sender.create(1, "").await;
    let head = format!("GET /transfers/id/{id}/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let token = sender.authorization();
    let head = format!("{head}x-forwarded-for: 192.0.2.66\r\nauthorization: {token}\r\n\r\n");
    let response = request(service, PROXY, header, &head).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let trail = service.admin().get(&format!("/audit/transfers/id/{id}/all")).send().await;
    let of_status = |record: &&Value| record["route"] == "/transfers/id/{transfer_id}/status";
    trail.items().iter().find(of_status).unwrap()["client"]["address"].clone()
}

#[tokio::test]
async fn the_header_of_a_trusted_proxy_names_the_client() {
    let service = service(|_| {}).await;
    assert_eq!(recorded(&service, CLIENT.as_bytes()).await, "203.0.113.9");
    let version_2 = [&LOCAL[..12], b"\x21\x11\0\x0c\xcb\0\x71\x0a\xc0\0\x02\x01\xdc\x04\x01\xbb"].concat();
    assert_eq!(recorded(&service, &version_2).await, "203.0.113.10");
    assert_eq!(recorded(&service, b"PROXY TCP6 2001:db8::9 2001:db8::1 1 443\r\n").await, "2001:db8::9");
    // Without a client, the proxy's address counts, and a forwarded header comes from anybody.
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        assert_eq!(recorded(&service, header).await, PROXY);
    }
}

#[tokio::test]
async fn a_trusted_proxy_must_send_a_header_and_nobody_else_may() {
    let service = service(|settings| settings.timeouts.header = Duration::from_millis(200)).await;
    assert!(request(&service, PROXY, CLIENT.as_bytes(), HEALTH).await.starts_with("HTTP/1.1 200 "));
    assert!(request(&service, "127.0.0.1", b"", HEALTH).await.starts_with("HTTP/1.1 200 "));
    assert!(request(&service, "127.0.0.1", CLIENT.as_bytes(), HEALTH).await.starts_with("HTTP/1.1 400 "));
    let long = [b"PROXY UNKNOWN ", &[b'x'; 200][..], b"\r\n"].concat();
    let wrong: [&[u8]; 4] = [b"", b"PROXY TCP4 example.org 192.0.2.1 1 2\r\n", &LOCAL[..10], &long];
    for header in wrong {
        assert_eq!(request(&service, PROXY, header, HEALTH).await, "", "{header:?}");
    }
    // An unfinished header is closed in time.
    let mut stream = connect(PROXY, service.public).await;
    assert_eq!(exchange(&mut stream, &[&CLIENT.as_bytes()[..20]]).await, "");
}

#[tokio::test]
async fn the_header_precedes_tls() {
    let home = Home::new();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let certificate = home.file("cert.pem", issuer.pem().as_bytes());
    let key = home.file("key.pem", issuer.key().serialize_pem().as_bytes());
    let files = TlsFiles { certificate: certificate.into(), key: key.into() };
    let service = service(|settings| settings.tls = Some(files)).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut stream = connect(PROXY, service.public).await;
    stream.write_all(CLIENT.as_bytes()).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let response = exchange(&mut stream, &[HEALTH.as_bytes()]).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

#[tokio::test]
async fn connection_limits_count_the_clients_behind_the_proxy() {
    // A network may have a quarter of these.
    let service = service(|settings| settings.timeouts.max_connections = 8).await;
    let open = async |client: &str| {
        let mut stream = connect(PROXY, service.public).await;
        let header = CLIENT.replace("203.0.113.9", client);
        let kept = HEALTH.replace("connection: close\r\n", "");
        stream.write_all((header + &kept).as_bytes()).await.unwrap();
        let is_served = stream.read(&mut [0; 12]).await.is_ok_and(|read| read > 0);
        (stream, is_served)
    };
    let mut held = Vec::new();
    for (client, is_served) in
        [("203.0.113.9", true), ("203.0.113.9", true), ("203.0.113.9", false), ("203.0.113.10", true)]
    {
        let (stream, served) = open(client).await;
        assert_eq!(served, is_served, "{client}");
        held.push(stream);
    }
}
