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
        (IpMode::Hashed, Some("address_pseudonym"), Some("raw_address")),
        (IpMode::Truncated, Some("address_network"), Some("raw_address")),
        (IpMode::Full, Some("address_full"), None),
        (IpMode::None, None, Some("address")),
    ] {
        let service = Service::any().with(|settings| settings.ip_mode = mode).start().await;
        let sender = service.sender().await;
        let id = sender.send_payload(b"abc", "").await;
        let completed = sender.post(&format!("/transfers/id/{id}/upload/complete")).send().await;
        let granted = service.public().post(&format!("/transfers/id/{id}/download/create-presign-url")).send().await;
        for response in [completed, granted] {
            let printed = &response.json()["transparency"];
            let codes = |list: &str| -> Vec<String> {
                let items = printed[list].as_array().unwrap().iter();
                items.map(|item| item["code"].as_str().unwrap().to_owned()).collect()
            };
            let about_address = |list: &str| codes(list).into_iter().find(|code| code.contains("address"));
            assert_eq!(about_address("stored").as_deref(), stored, "{printed}");
            assert_eq!(about_address("not_stored").as_deref(), not_stored, "{printed}");
            let provider = Service::is_presigned() && codes("stored").contains(&"grant".to_owned());
            assert_eq!(printed["seen_by_others"].as_array().unwrap().len(), usize::from(provider), "{printed}");
        }
    }
}
