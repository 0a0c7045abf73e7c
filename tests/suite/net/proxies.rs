//! Services behind proxies: which forwarded client addresses are trusted.

use http::HeaderName;
use serde_json::Value;
use sgsend::domain::address::{TrustedProxies, network};
use sgsend::domain::audit::IpMode;
use sgsend::server::ClientAddress;

use crate::support::{Service, Started};

async fn service(networks: &[&str], header: &str) -> Started {
    let proxies = TrustedProxies::new(networks.iter().map(|text| network(text).unwrap()).collect());
    let header: HeaderName = header.parse().unwrap();
    let behind = |settings: &mut sgsend::server::Settings| {
        settings.ip_mode = IpMode::Full;
        settings.client_address = ClientAddress { proxies, header };
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
