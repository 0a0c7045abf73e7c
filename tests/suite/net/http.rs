//! Properties of all responses, and of connections.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use sgsend::server::RateMode;

use crate::support::{Service, Started, eventually, start_partial_upload, wait_for_writer};

async fn raw(service: &Started, request: &str) -> String {
    let mut stream = TcpStream::connect(service.public).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn request_ids_are_the_servers_own() {
    let service = Service::any().start().await;
    let ask = |id: &str| service.public().get("/health").header("x-request-id", id);
    let (first, second) = (ask("a-1").send().await, ask("a-1").send().await);
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    assert_eq!(first.header("x-client-request-id"), "a-1");
    for odd in ["", "with space", "ä", &"x".repeat(65), "a;b"] {
        assert_eq!(ask(odd).send().await.header("x-client-request-id"), "", "{odd:?} was echoed");
    }
    assert_eq!(ask(&"x".repeat(64)).send().await.header("x-client-request-id"), "x".repeat(64));
}

#[tokio::test]
async fn responses_carry_their_headers() {
    let service = Service::any().start().await;
    for path in ["/health", "/transfers/id/x/status", "/nothing"] {
        let response = service.public().get(path).send().await;
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        assert_eq!(response.header("referrer-policy"), "no-referrer");
        assert_eq!(response.header("cache-control"), "no-store");
    }
    for path in ["/", &format!("/d/{}", "0".repeat(32)), "/docs"] {
        let page = service.public().get(path).send().await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let html = String::from_utf8_lossy(&page.body).into_owned();
        assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "a page loads from a third party");
    }
}

#[tokio::test]
async fn the_page_of_a_link_says_how_to_open_it_and_counts_nothing() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", r#""max_downloads":1"#).await;
    let page = service.public().get(&format!("/d/{id}")).send().await;
    assert!(String::from_utf8_lossy(&page.body).contains("sgsend download"));
    assert_eq!(sender.status(&id).await.number("download_count"), 0);
    let absolute = Service::any().with(|settings| {
        settings.public_url = Some("https://send.example.org/base/".parse().unwrap());
    });
    let absolute = absolute.start().await;
    let created = absolute.sender().await.post("/transfers/create").json(r#"{"size_bytes":1}"#).send().await;
    assert!(created.text("page_url").starts_with("https://send.example.org/base/d/"));
}

#[tokio::test]
async fn a_damaged_link_gives_browsers_a_page_and_others_a_json_error() {
    let service = Service::any().start().await;
    for id in ["x", &format!("{}.", "0".repeat(32)), "%ff"] {
        let path = format!("/d/{id}");
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for accept in [browser, "Text/HTML;charset=utf-8", "application/json, text/html"] {
            // Conditional requests get the error page as well: a browser with the page in its cache must see status
            // 400.
            let page = service.public().get(&path).header("accept", accept).header("if-none-match", "*").send().await;
            assert_eq!((page.status, page.header("content-type")), (400, "text/html; charset=utf-8"), "{accept}");
            assert_eq!(page.header("cache-control"), "no-store", "{accept}");
            assert!(String::from_utf8_lossy(&page.body).contains("A file for you"), "{accept}");
        }
        service.public().get(&path).expect_error("invalid_id").await;
        for accept in ["*/*", "application/json", "text/htmlx", "text/*"] {
            service.public().get(&path).header("accept", accept).expect_error("invalid_id").await;
        }
    }
}

#[tokio::test]
async fn slow_request_heads_are_cut_off() {
    let service = Service::any().with(|settings| settings.timeouts.header = Duration::from_millis(100));
    let service = service.start().await;
    assert_eq!(raw(&service, "").await, "");
    let response = raw(&service, "GET /health HTTP/1.1\r\nhost: x\r\n").await;
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 408"), "{response}");
}

#[tokio::test]
async fn oversized_or_malformed_heads_are_rejected() {
    let service = Service::any().start().await;
    let long = "x".repeat(80_000);
    let response = raw(&service, &format!("GET /health HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n")).await;
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
    assert!(raw(&service, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn further_connections_wait_for_a_free_slot() {
    let service = Service::any().with(|settings| settings.timeouts.max_connections = 1).start().await;
    let first = TcpStream::connect(service.public).await.unwrap();
    let mut second = TcpStream::connect(service.public).await.unwrap();
    second.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut response = String::new();
    let waiting = tokio::time::timeout(Duration::from_millis(200), second.read_to_string(&mut response)).await;
    assert!(waiting.is_err(), "the second connection was served: {response}");
    drop(first);
    second.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn one_network_may_hold_a_quarter_of_the_connections() {
    let service = Service::any().with(|settings| {
        settings.rate = RateMode::Limited("1000/s".parse().unwrap());
        settings.timeouts.max_connections = 8;
    });
    let service = service.start().await;
    let mut open_connections = Vec::new();
    for _ in 0..2 {
        open_connections.push(TcpStream::connect(service.public).await.unwrap());
    }
    for _ in 0..8 {
        let response = raw(&service, "").await;
        assert_eq!(response, "", "the network exceeded its share");
    }
    for mut stream in open_connections {
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }
    // The connections have ended; the service notices within seconds.
    let response = eventually(async || {
        let mut stream = TcpStream::connect(service.public).await.unwrap();
        let mut response = String::new();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ok()?;
        stream.read_to_string(&mut response).await.ok()?;
        (!response.is_empty()).then_some(response)
    });
    assert!(response.await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn shutdown_aborts_open_requests_at_the_deadline() {
    let service = Service::any().with(|settings| settings.timeouts.drain = Duration::from_millis(100));
    let service = service.start().await;
    let sender = service.sender().await;
    let id = sender.create(8, "").await;
    let mut stream = start_partial_upload(&service, &sender, &id, 8, b"abcd").await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), service.stop()).await;
    assert!(stopped.is_ok(), "an open request blocks the shutdown");
    let mut response = String::new();
    // The connection is closed or reset, without a response.
    let _ = stream.read_to_string(&mut response).await;
    assert_eq!(response, "");
}

#[tokio::test]
async fn shutdown_waits_for_open_requests() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.create(8, "").await;
    let mut stream = start_partial_upload(&service, &sender, &id, 8, b"abcd").await;
    wait_for_writer(&sender, &id).await;
    let stopping = tokio::spawn(service.stop());
    stream.write_all(b"efgh").await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("\"received_bytes\":8"), "{response}");
    stopping.await.unwrap();
}
