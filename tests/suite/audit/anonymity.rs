//! Client addresses and user agents in stored records, in every IP mode.

use std::time::Duration;

use serde_json::Value;
use sgsend::domain::audit::IpMode;

use crate::support::{Service, Started};

/// Returns the clients in all stored records, and the whole store as text.
async fn clients(service: Started) -> (Vec<Value>, String) {
    let folder = service.stop().await.1.unwrap();
    let records = rusqlite::Connection::open(folder.path().join("records.sqlite")).unwrap();
    let mut statement = records.prepare("SELECT CAST(value AS TEXT) FROM object").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows: Vec<String> = rows.map(Result::unwrap).collect();
    let parsed = rows.iter().filter_map(|row| serde_json::from_str::<Value>(row).ok());
    let clients = parsed.filter(|record| record["type"] == "request").map(|record| record["client"].clone());
    (clients.collect(), rows.concat())
}

async fn records_after_requests(mode: IpMode) -> (Vec<Value>, String) {
    let service = Service::on_disk().with(|settings| settings.ip_mode = mode).start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", "").await;
    let agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0";
    let completed = sender.get(&format!("/transfers/id/{id}/status")).header("user-agent", agent).send().await;
    assert_eq!(completed.status, 200);
    clients(service).await
}

#[tokio::test]
async fn pseudonyms_hide_the_address() {
    let (clients, everything) = Box::pin(records_after_requests(IpMode::Hashed)).await;
    assert!(clients.len() >= 5);
    for client in &clients {
        assert_eq!(client["ip_mode"], "hashed");
        assert_eq!(client["address"], clients[0]["address"]);
        assert_eq!(client["address"].as_str().unwrap().len(), 16);
        assert_eq!(client["epoch"].as_str().unwrap().len(), 8);
    }
    assert!(!everything.contains("127.0.0."), "a raw address was stored");
    assert!(!everything.contains("Gecko"), "a raw user agent was stored");
    assert!(everything.contains(r#""agent":"Firefox""#));
}

#[tokio::test]
async fn the_other_modes_store_what_they_promise() {
    let (clients, everything) = Box::pin(records_after_requests(IpMode::Truncated)).await;
    assert!(clients.iter().all(|client| client["address"] == "127.0.0.0/24" && client["epoch"].is_null()));
    assert!(!everything.contains("127.0.0.1"));
    let (clients, everything) = Box::pin(records_after_requests(IpMode::None)).await;
    assert!(clients.iter().all(|client| client["address"].is_null() && client["ip_mode"] == "none"));
    assert!(!everything.contains("127.0.0."));
    let (clients, _) = Box::pin(records_after_requests(IpMode::Full)).await;
    assert!(clients.iter().all(|client| client["address"] == "127.0.0.1"));
}

#[tokio::test]
async fn pseudonyms_of_two_days_and_of_two_processes_cannot_be_compared() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    service.advance_clock(Duration::from_hours(24));
    sender.create(1, "").await;
    let service = service.restart().await;
    service.sender().await;
    let (clients, _) = clients(service).await;
    let mut addresses: Vec<_> = clients.iter().map(|client| client["address"].as_str().unwrap()).collect();
    let mut epochs: Vec<_> = clients.iter().map(|client| client["epoch"].as_str().unwrap()).collect();
    for list in [&mut addresses, &mut epochs] {
        list.sort_unstable();
        list.dedup();
        assert_eq!(list.len(), 3, "{list:?}");
    }
}

#[tokio::test]
async fn responses_state_the_stored_client_data() {
    for (mode, stored, not_stored) in [
        (IpMode::Hashed, "a pseudonym", Some("raw address")),
        (IpMode::Truncated, "the network only", Some("raw address")),
        (IpMode::Full, "the full address", None),
        (IpMode::None, "", Some("address")),
    ] {
        let service = Service::any().with(|settings| settings.ip_mode = mode).start().await;
        let sender = service.sender().await;
        let id = sender.send_payload(b"abc", "").await;
        let completed = sender.post(&format!("/transfers/id/{id}/upload/complete")).send().await;
        let granted = service.public().post(&format!("/transfers/id/{id}/download/create-presign-url")).send().await;
        for response in [completed, granted] {
            let printed = &response.json()["transparency"];
            let address = printed["stored"]["address"].as_str().unwrap_or_default();
            assert!(address.starts_with(stored) && address.is_empty() == stored.is_empty(), "{printed}");
            let left_out: Vec<_> = printed["not_stored"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(left_out.iter().find(|left_out| left_out.contains("address")).copied(), not_stored);
            let provider = Service::is_presigned() && printed["stored"].get("grant").is_some();
            assert_eq!(printed["seen_by_others"].as_array().unwrap().len(), usize::from(provider), "{printed}");
        }
    }
}
