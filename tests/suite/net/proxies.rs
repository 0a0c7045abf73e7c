//! Services behind proxies: which forwarded client addresses are trusted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use http::HeaderName;
use serde_json::Value;
use sgsend::domain::address::{TrustedProxies, network};
use sgsend::domain::audit::IpMode;
use sgsend::server::ClientAddressResolver;

use crate::support::{Home, Service, Started};

async fn service(networks: &[&str], header: &str) -> Started {
    let proxies = TrustedProxies::new(networks.iter().map(|text| network(text).unwrap()).collect());
    let header: HeaderName = header.parse().unwrap();
    let behind = |settings: &mut sgsend::server::Settings| {
        settings.ip_mode = IpMode::Full;
        settings.client_address = ClientAddressResolver { proxies, header, unix_sockets: false };
    };
    Service::any().with(behind).start().await
}

/// Returns the recorded client address of a request with these headers.
async fn recorded(service: &Started, headers: &[(&str, &str)]) -> Value {
    let sender = service.sender().await;
    let id = sender.create(1, "").await;
    let status = sender.get(&format!("/transfers/id/{id}/status"));
    let status = headers.iter().fold(status, |request, (name, value)| request.header(name, value));
    assert_eq!(status.send().await.status, 200);
    let trail = service.admin().get(&format!("/audit/transfers/id/{id}/all")).send().await;
    let of_status = |record: &&Value| record["route"] == "/transfers/id/{transfer_id}/status";
    trail.items().iter().find(of_status).unwrap()["client"]["address"].clone()
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let service = service(&["127.0.0.0/8", "10.0.0.0/8"], "x-forwarded-for").await;
    assert_eq!(recorded(&service, &[("x-forwarded-for", "203.0.113.9")]).await, "203.0.113.9");
    assert_eq!(recorded(&service, &[("x-forwarded-for", "203.0.113.9, 10.0.0.7")]).await, "203.0.113.9");
    let two_lines = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(recorded(&service, &two_lines).await, "203.0.113.9");
}

#[tokio::test]
async fn a_forged_forwarded_header_changes_nothing() {
    let open = service(&[], "x-forwarded-for").await;
    assert_eq!(recorded(&open, &[("x-forwarded-for", "203.0.113.9")]).await, "127.0.0.1");
    let elsewhere = service(&["10.0.0.0/8"], "x-forwarded-for").await;
    assert_eq!(recorded(&elsewhere, &[("x-forwarded-for", "203.0.113.9")]).await, "127.0.0.1");
    let trusted = service(&["127.0.0.1"], "x-forwarded-for").await;
    // Addresses sent by the client precede the address that the proxy appends.
    let forged =
        [("x-forwarded-for", "192.0.2.1, 203.0.113.9"), ("x-real-ip", "192.0.2.2"), ("forwarded", "for=192.0.2.3")];
    assert_eq!(recorded(&trusted, &forged).await, "203.0.113.9");
    assert_eq!(recorded(&trusted, &[("x-forwarded-for", "203.0.113.9, nonsense")]).await, "127.0.0.1");
}

#[tokio::test]
async fn only_the_configured_header_counts() {
    let service = service(&["127.0.0.1"], "forwarded").await;
    let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", r#"for="[2001:db8::9]:4711";proto=https"#)];
    assert_eq!(recorded(&service, &both).await, "2001:db8::9");
    assert_eq!(recorded(&service, &both[..1]).await, "127.0.0.1");
}

#[tokio::test]
async fn an_untrusted_proxy_is_noticed() {
    let behind = |api: crate::support::Api, header: &'static str| async move {
        api.get("/health").header(header, "for=192.0.2.1").send().await.json()["behind_untrusted_proxy"].clone()
    };
    let open = service(&[], "x-client-ip").await;
    let noticed = || async { open.admin().get("/stats/overview").send().await.json()["untrusted_proxy"].clone() };
    assert!(open.public().get("/health").send().await.json()["behind_untrusted_proxy"].is_null());
    assert!(noticed().await.is_null());
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip"] {
        assert_eq!(behind(open.public(), header).await, true, "{header}");
    }
    assert_eq!(behind(open.admin(), "forwarded").await, true);
    assert_eq!(noticed().await, "127.0.0.1");
    let named = service(&["127.0.0.1"], "x-forwarded-for").await;
    assert!(behind(named.public(), "x-forwarded-for").await.is_null());
    assert!(named.admin().get("/stats/overview").send().await.json()["untrusted_proxy"].is_null());
}

#[test]
fn an_untrusted_proxy_is_named_once_in_the_log_and_by_doctor() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let proxy = adding_header(&serving.public);
    let doctor = || {
        let checks = home.run(&["--server", &proxy, "doctor", "--json"]).json()["checks"].clone();
        checks.as_array().unwrap().iter().find(|check| check["name"] == "trusted_proxy").cloned()
    };
    let warning = doctor().expect("doctor does not see the proxy");
    assert_eq!(warning["verdict"], "warning");
    assert!(warning["hint"].as_str().unwrap().contains("--trusted-proxy"), "{warning}");
    doctor().unwrap();
    let log = serving.terminate();
    assert_eq!(log.matches("--trusted-proxy 127.0.0.1").count(), 1, "{log}");
}

/// Starts a proxy to `target` that adds the client's address to each request.
fn adding_header(target: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let target = target.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut server = TcpStream::connect(&target).unwrap();
            let (mut responses, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut responses, &mut to_client));
            std::thread::spawn(move || {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = client.read(&mut buffer) {
                    let request = String::from_utf8_lossy(&buffer[..length]);
                    let request = request.replace(" HTTP/1.1\r\n", " HTTP/1.1\r\nx-forwarded-for: 192.0.2.1\r\n");
                    if server.write_all(request.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}
