//! Quotas of sender tokens are exact.

use std::time::Duration;

use crate::support::{Api, Service, Started};

async fn sender(service: &Started, limits: &str) -> Api {
    let body = format!(r#"{{"name":"limited",{limits}}}"#);
    let created = service.admin().post("/tokens/create").json(&body).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    service.public().with_header("x-sgsend-token", &created.text("token"))
}

async fn token_status(sender: &Api) -> serde_json::Value {
    let status = sender.get("/token/status").send().await;
    assert_eq!(status.status, 200, "{status:?}");
    status.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_uploads_on_a_quota_of_ten_yield_ten() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = sender(&service, r#""max_transfers":10"#).await;
        let mut uploads = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let sender = sender.clone();
            uploads.spawn(async move {
                let created = sender.post("/transfers/create").json(r#"{"size_bytes":3}"#).send().await;
                if created.status == 429 {
                    created.check("quota_exceeded");
                    return None;
                }
                let id = created.text("transfer_id");
                sender.post(&format!("/transfers/id/{id}/payload/upload-bytes")).bytes(b"abc").send().await;
                let completed = sender.post(&format!("/transfers/id/{id}/upload/complete")).json("{}").send().await;
                Some(completed.status)
            });
        }
        let done: Vec<_> = uploads.join_all().await.into_iter().flatten().collect();
        assert_eq!(done, [200; 10]);
        let own = token_status(&sender).await;
        assert_eq!((own["transfers_created"].as_u64(), own["max_transfers"].as_u64()), (Some(10), Some(10)));
        assert_eq!((own["bytes_held"].as_u64(), own["max_total_bytes"].as_u64()), (Some(30), None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_reserved_exactly_and_released() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = sender(&service, r#""max_total_bytes":1000"#).await;
        let mut creations = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let sender = sender.clone();
            creations.spawn(async move { sender.post("/transfers/create").json(r#"{"size_bytes":100}"#).send().await });
        }
        let created = creations.join_all().await;
        let ids: Vec<_> =
            created.iter().filter(|response| response.status == 201).map(|a| a.text("transfer_id")).collect();
        assert_eq!(ids.len(), 10);
        for id in &ids {
            for _ in 0..2 {
                let deleted = sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
                assert_eq!(deleted.status, 200, "{deleted:?}");
            }
        }
        if Service::is_presigned() {
            // A signed upload URL could restore a payload, so its bytes stay reserved until the URL expires.
            assert_eq!(token_status(&sender).await["bytes_held"], 1000);
            return;
        }
        assert_eq!(token_status(&sender).await["bytes_held"], 0);
        let too_large =
            sender.post("/transfers/create").json(r#"{"size_bytes":1001}"#).expect_error("quota_exceeded").await;
        assert!(too_large.text("detail").contains("max_total_bytes"), "{too_large:?}");
        sender.create(1000, "").await;
        assert_eq!(token_status(&sender).await["bytes_held"], 1000);
    }
}

#[tokio::test]
async fn a_repeated_creation_counts_once_and_needs_no_quota() {
    let service = Service::any().start().await;
    let sender = sender(&service, r#""max_transfers":1,"max_total_bytes":10"#).await;
    let body = format!(r#"{{"size_bytes":10,"idempotency_key":"{}"}}"#, "ab".repeat(32));
    let first = sender.post("/transfers/create").json(&body).send().await;
    let second = sender.post("/transfers/create").json(&body).send().await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.text("transfer_id"), second.text("transfer_id"));
    assert_eq!(token_status(&sender).await["transfers_created"], 1);
}

#[tokio::test]
async fn a_zero_quota_is_rejected() {
    let service = Service::any().start().await;
    for body in [
        r#"{"name":"a","max_transfers":0}"#,
        r#"{"name":"a","max_total_bytes":0}"#,
        r#"{"name":"a","max_transfers":-1}"#,
        r#"{"name":"a","max_total_bytes":9223372036854775808}"#,
    ] {
        service.admin().post("/tokens/create").json(body).expect_error("invalid_request").await;
    }
}

#[tokio::test]
async fn a_token_holder_can_read_its_state() {
    let service = Service::any().start().await;
    let sender = sender(&service, r#""expires_in_s":60"#).await;
    let own = token_status(&sender).await;
    assert_eq!((own["name"].as_str(), own["status"].as_str()), (Some("limited"), Some("active")));
    assert!(own.get("secret_sha256").is_none() && own.get("token").is_none(), "{own}");
    service.public().get("/token/status").expect_error("token_missing").await;
    service.advance_clock(Duration::from_mins(1));
    sender.get("/token/status").expect_error("token_expired").await;
}
