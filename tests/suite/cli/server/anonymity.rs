//! Client addresses and user agents are absent from records, logs and metrics of a service.

use std::net::SocketAddr;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::Home;

const ADDRESS: &str = "203.0.113.77";
const AGENT: &str = "CanaryAgent/47.11";

#[test]
fn no_record_log_or_metric_names_an_address_or_an_agent() {
    let home = Home::new();
    let key = home.file("key", &[b'k'; 40]);
    let store = home.path().join("store");
    let server = home.server().storage(&format!("file:{}", store.display())).env("SGSEND_LOG", "trace");
    let serving = server.arguments(&["--trusted-proxy", "127.0.0.1", "--admin-key-file", &key]).start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let metrics = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().user_agent(AGENT).build().unwrap();
        let ask = |url: String| client.get(url).header("x-forwarded-for", ADDRESS);
        for path in ["/health", "/nowhere", "/token/status", "/transfers/id/x/status", "/d/x"] {
            ask(format!("{}{path}", serving.public)).send().await.unwrap();
        }
        let wrong = ask(format!("{}/stats/overview", serving.admin)).header("x-api-key", "wrong");
        assert_eq!(wrong.send().await.unwrap().status(), 401);
        let right = ask(format!("{}/metrics", serving.admin)).header("x-api-key", "k".repeat(40));
        right.send().await.unwrap().text().await.unwrap()
    });
    let log = serving.terminate();
    let records = std::fs::read(store.join("records.sqlite")).unwrap();
    assert!(metrics.contains("sgsend_requests_total"), "no request was counted: {metrics}");
    for route in ["/health", "/token/status", "/stats/overview"] {
        assert!(log.contains(route), "the log lacks {route}: {log}");
    }
    assert!(
        memchr::memmem::find(&records, b"admin_key_invalid").is_some(),
        "the search can't find a text that is stored"
    );
    for (place, bytes) in [("log", log.as_bytes()), ("metrics", metrics.as_bytes()), ("records", &records)] {
        for canary in [ADDRESS, "203.0.113", AGENT, "CanaryAgent"] {
            assert!(memchr::memmem::find(bytes, canary.as_bytes()).is_none(), "{canary} is in the {place}");
        }
    }
}

/// Address of clients that break off; a service on loopback sees it as it is.
const CLIENT: &str = "127.0.0.77";

/// Connects from [`CLIENT`], sends `bytes`, and resets the connection.
///
/// With `reads`, the reset follows the start of a response.
async fn break_off(service: SocketAddr, bytes: &[u8], reads: bool) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{CLIENT}:0").parse().unwrap()).unwrap();
    let mut stream: TcpStream = socket.connect(service).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    if reads {
        assert!(stream.read(&mut [0; 64]).await.unwrap() > 0, "no response: {}", String::from_utf8_lossy(bytes));
    }
    stream.set_zero_linger().unwrap();
}

#[test]
fn connections_that_break_off_leave_no_address() {
    let home = Home::new();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (cert, key) = (home.file("cert", own.pem().as_bytes()), home.file("key", key.serialize_pem().as_bytes()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for tls in [&[][..], &["--tls-cert", &cert, "--tls-key", &key]] {
        let store = home.path().join(format!("store{}", tls.len()));
        let server = home.server().storage(&format!("file:{}", store.display())).env("SGSEND_LOG", "trace");
        let serving = server.arguments(tls).start();
        let service: SocketAddr = serving.public.split_once("://").unwrap().1.parse().unwrap();
        runtime.block_on(async {
            let upload =
                "POST /transfers/id/x/payload/upload-bytes HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc";
            for bytes in ["", "GET /token/sta", "GET /nowhere HTTP/1.1\r\nhost: x\r\n", upload] {
                break_off(service, bytes.as_bytes(), false).await;
            }
            // The start of a TLS handshake, which the client never ends.
            break_off(service, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], false).await;
            if tls.is_empty() {
                break_off(service, b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n", true).await;
                break_off(service, b"GET /token/status HTTP/1.1\r\nhost: x\r\n\r\n", true).await;
            }
            // A client that connects later is served once the service has accepted the connections above.
            let client = reqwest::Client::builder().no_proxy().danger_accept_invalid_certs(true).build().unwrap();
            assert_eq!(client.get(format!("{}/health", serving.public)).send().await.unwrap().status(), 200);
        });
        let log = serving.terminate();
        let records = std::fs::read(store.join("records.sqlite")).unwrap();
        assert!(log.contains("/health"), "the log level is not trace: {log}");
        assert!(!tls.is_empty() || log.contains("/token/status"), "no request of the client was served: {log}");
        for (place, bytes) in [("log", log.as_bytes()), ("records", &records)] {
            let found = memchr::memmem::find(bytes, CLIENT.as_bytes());
            assert!(found.is_none(), "{CLIENT} is in the {place}: {log}");
        }
    }
}
