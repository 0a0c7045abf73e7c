//! `kill -9` of a server that deletes many transfers by one request.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::home::Home;
use crate::http_client::{Client, text};
use crate::random::{Random, rounds};
use crate::users::files;

/// Default number of kills, to keep `cargo test` short.
const USUALLY: usize = 6;
/// Number of transfers that one request deletes.
const TRANSFERS: usize = 40;

/// Creates completed transfers; returns their ids.
async fn transfers(client: &Client) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..TRANSFERS {
        let created = client.post("/transfers/create", r#"{"size_bytes":3}"#).await.unwrap().json().unwrap();
        let id = text(&created, "transfer_id");
        for (verb, body) in [("payload/upload-bytes", "abc"), ("upload/complete", "{}")] {
            assert_eq!(client.post(&format!("/transfers/id/{id}/{verb}"), body).await.unwrap().status, 200);
        }
        ids.push(id);
    }
    ids
}

/// Returns the status of each deletion in a response.
fn deleted(response: &Value) -> usize {
    response["items"].as_array().map_or(0, |items| items.iter().filter(|item| item["status"] == "deleted").count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_deletion_of_many_transfers_leaves_each_whole_or_deleted_and_is_repeated() {
    let (home, kills) = (Home::new(), rounds("SGSEND_DELETION_KILLS", USUALLY));
    let mut random = Random::of_this_run("delete-many");
    let (mut interrupted, mut usual) = (0, Duration::from_millis(100));
    for round in 0..kills {
        let server = home.serve();
        let admin = Client::of(&server, "");
        let token = admin.admin_post("/tokens/create", r#"{"name":"test"}"#).await.unwrap().json().unwrap();
        let client = admin.clone().with_token(&text(&token, "token"));
        let ids = transfers(&client).await;
        let body = if round % 2 == 0 { json!({"transfer_ids": ids}) } else { json!({"token_id": token["token_id"]}) };
        let body = body.to_string();
        let deleting = tokio::spawn({
            let (admin, body) = (admin.clone(), body.clone());
            async move { admin.admin_post("/transfers/delete-many", body).await }
        });
        tokio::time::sleep(random.millis_below(u64::try_from(usual.as_millis()).unwrap())).await;
        server.kill();
        let acknowledged = deleting.await.unwrap().ok().and_then(|response| response.json().ok());

        let server = home.serve();
        let (admin, client) = (Client::of(&server, ""), Client::of(&server, &text(&token, "token")));
        let mut left = 0;
        for id in &ids {
            let status = client.get(&format!("/transfers/id/{id}/status")).await.unwrap().json().unwrap();
            let payload = client.get(&format!("/transfers/id/{id}/payload/download-bytes")).await.unwrap();
            match status["status"].as_str() {
                Some("deleted") => assert_eq!(payload.status, 410, "a deleted transfer is served: {status}"),
                Some("completed") => {
                    assert_eq!((payload.status, payload.so_far()), (200, &b"abc"[..]), "{status}");
                    left += 1;
                }
                _ => panic!("a transfer is neither whole nor deleted: {status}"),
            }
        }
        if let Some(response) = acknowledged {
            assert_eq!((deleted(&response), left), (TRANSFERS, 0), "an acknowledged deletion is lost: {response}");
        }
        interrupted += usize::from(left > 0 && left < TRANSFERS);
        let started = Instant::now();
        let repeated = admin.admin_post("/transfers/delete-many", body).await.unwrap().json().unwrap();
        // By a token, only what is left to delete is listed.
        let listed = if round % 2 == 0 { TRANSFERS } else { repeated["items"].as_array().map_or(0, Vec::len) };
        assert_eq!((deleted(&repeated), listed >= left), (listed, true), "{repeated}");
        if left == TRANSFERS {
            usual = started.elapsed();
        }
        for id in &ids {
            let status = client.get(&format!("/transfers/id/{id}/status")).await.unwrap().json().unwrap();
            assert_eq!(status["status"], "deleted", "{status}");
            let events = admin.admin_get(&format!("/audit/transfers/id/{id}/all")).await.unwrap();
            let events = events.json().unwrap()["items"].to_string();
            assert_eq!(events.matches(r#""kind":"transfer_deleted""#).count(), 1, "{events}");
        }
        // By the sweeper, for a transfer whose record says deleted although the kill came before the removal.
        server.kill();
        let swept = home.sgsend(&["sweep", "--storage", &format!("file:{}", home.store().display())]).status();
        assert!(swept.unwrap().success(), "{}", home.output());
        let remaining = files(&home.store().join("payloads"));
        assert!(remaining.is_empty(), "payloads remain after their transfers: {remaining:?}");
    }
    println!("{kills} kills, {interrupted} of them in the middle of the deletions");
}
