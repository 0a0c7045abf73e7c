//! Sender tokens and their permissions.

use std::time::Duration;

use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::proof::AccessProof;

use crate::support::{Service, Started};

async fn token(service: &Started, body: &str) -> (String, String) {
    let created = service.admin().post("/tokens/create").json(body).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    (created.text("token_id"), created.text("token"))
}

#[tokio::test]
async fn a_token_is_created_listed_revoked_and_then_rejected() {
    for service in Service::each() {
        let service = service.start().await;
        let (id, token) = token(&service, r#"{"name":"press office"}"#).await;
        assert!(token.starts_with(&format!("sgs_{id}_")) && token.len() == 85, "{token}");
        let sender = service.public().with_header("authorization", &format!("bearer {token}"));
        sender.create(1, "").await;

        let listed = service.admin().get("/tokens/list").send().await;
        let item = &listed.items()[0];
        assert_eq!((item["token_id"].as_str(), item["status"].as_str()), (Some(id.as_str()), Some("active")));
        assert_eq!(item["last_used_at"], crate::support::START.as_millis());
        assert!(!String::from_utf8_lossy(&listed.body).contains(&token[21..]), "the list shows a secret");

        for _ in 0..2 {
            let revoked = service.admin().post(&format!("/tokens/id/{id}/revoke")).json("{}").send().await;
            assert_eq!((revoked.status, revoked.text("status").as_str()), (200, "revoked"));
        }
        sender.post("/transfers/create").json(r#"{"size_bytes":1}"#).expect_error("token_revoked").await;
        service.admin().post(&format!("/tokens/id/{}/revoke", "0".repeat(16))).expect_error("token_not_found").await;
    }
}

#[tokio::test]
async fn tokens_expire() {
    let service = Service::any().start().await;
    let (_, token) = token(&service, r#"{"name":"short","expires_in_s":60}"#).await;
    let sender = service.public().with_header("x-sgsend-token", &token);
    sender.create(1, "").await;
    service.advance_clock(Duration::from_mins(1));
    sender.post("/transfers/create").json(r#"{"size_bytes":1}"#).expect_error("token_expired").await;
    assert_eq!(service.admin().get("/tokens/list").send().await.items()[0]["status"], "expired");
}

#[tokio::test]
async fn invalid_tokens_get_the_same_error() {
    let service = Service::any().start().await;
    let (id, token) = token(&service, r#"{"name":"x"}"#).await;
    service.admin().post(&format!("/tokens/id/{id}/revoke")).send().await;
    let unknown = format!("sgs_{}_{}", "0".repeat(16), "1".repeat(64));
    let wrong_secret = format!("sgs_{id}_{}", "1".repeat(64));
    let create = || service.public().post("/transfers/create").json(r#"{"size_bytes":1}"#);
    create().expect_error("token_missing").await;
    let mut details = Vec::new();
    for secret in [unknown.as_str(), &wrong_secret, "sgs_", "nonsense", &token.to_uppercase(), ""] {
        let response =
            create().header("authorization", &format!("Bearer {secret}")).expect_error("token_invalid").await;
        details.push(response.text("detail"));
    }
    details.dedup();
    assert_eq!(details.len(), 1, "the responses differ: {details:?}");
    create().header("authorization", &format!("Basic {token}")).expect_error("token_invalid").await;
    create().header("x-sgsend-token", &unknown).expect_error("token_invalid").await;
    // If a proxy uses `Authorization` for itself, the other header still works.
    let other = self::token(&service, r#"{"name":"behind a proxy"}"#).await.1;
    let proxied = create().header("authorization", "Basic dXNlcjpwYXNz").header("x-sgsend-token", &other);
    assert_eq!(proxied.send().await.status, 201);
}

#[tokio::test]
async fn only_the_token_that_created_a_transfer_can_change_it() {
    let service = Service::any().start().await;
    let (owner, other) = (service.sender().await, service.sender().await);
    let id = owner.create(3, "").await;
    for (method, route) in [
        ("POST", "payload/upload-bytes"),
        ("GET", "upload/status"),
        ("POST", "upload/create-presign-urls"),
        ("POST", "upload/complete"),
        ("POST", "delete"),
    ] {
        let path = format!("/transfers/id/{id}/{route}");
        other.request(method, &path).expect_error("not_your_transfer").await;
        service.public().request(method, &path).expect_error("token_missing").await;
        let missing = format!("/transfers/id/{}/{route}", "0".repeat(32));
        owner.request(method, &missing).expect_error("transfer_not_found").await;
    }
    assert_eq!(owner.status(&id).await.text("status"), "pending");
}

#[tokio::test]
async fn recipients_can_neither_complete_nor_delete_a_transfer() {
    for service in Service::each() {
        let service = service.start().await;
        let (owner, other) = (service.sender().await, service.sender().await);
        let proof = AccessProof::of(&PayloadKey::random());
        let members = format!(r#""access_sha256":"{}""#, proof.digest());
        let (pending, completed) = (owner.create(3, &members).await, owner.send_payload(b"abc", &members).await);
        let path = |id: &str, route: &str| format!("/transfers/id/{id}/{route}");
        let granting = service.public().post(&path(&completed, "download/create-presign-url"));
        let granted = granting.header("x-sgsend-access", &proof.to_text()).send().await;
        assert_eq!(granted.status, 200, "the access proof is wrong: {granted:?}");
        let (proof, grant) =
            (("x-sgsend-access", proof.to_text().to_string()), ("x-sgsend-grant", granted.text("grant")));
        for id in [&pending, &completed] {
            for route in ["delete", "upload/complete", "payload/upload-bytes", "upload/create-presign-urls"] {
                for headers in [vec![&proof], vec![&grant], vec![&proof, &grant]] {
                    for (who, code) in [(service.public(), "token_missing"), (other.clone(), "not_your_transfer")] {
                        let request = who.post(&path(id, route)).json("{}");
                        let request =
                            headers.iter().fold(request, |request, (name, value)| request.header(name, value));
                        request.expect_error(code).await;
                    }
                }
            }
        }
        assert_eq!(owner.status(&pending).await.text("status"), "pending");
        assert_eq!(owner.status(&completed).await.text("status"), "completed");
        let download = service.public().get(&path(&completed, "payload/download-bytes"));
        let downloaded = download.header(proof.0, &proof.1).header(grant.0, &grant.1).send().await;
        assert_eq!((downloaded.status, &downloaded.body[..]), (200, &b"abc"[..]));
    }
}

#[tokio::test]
async fn pagination_of_lists_continues_after_the_last_item() {
    let service = Service::any().start().await;
    let mut tokens = Vec::new();
    for number in 0..5 {
        tokens.push(token(&service, &format!(r#"{{"name":"token {number}"}}"#)).await.0);
    }
    tokens.sort();
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = service.admin().get(&format!("/tokens/list?limit=2{after}")).send().await;
        found.extend(page.items().iter().map(|item| item["token_id"].as_str().unwrap().to_owned()));
        match page.json()["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(found, tokens);
    for query in ["limit=0", "limit=1001", "limit=x", "after=x", "page=2"] {
        service.admin().get(&format!("/tokens/list?{query}")).expect_error("invalid_request").await;
    }
}

#[tokio::test]
async fn invalid_token_members_are_rejected() {
    let service = Service::any().start().await;
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(101));
    for body in [
        "",
        "{}",
        "[]",
        "nonsense",
        r#"{"name":""}"#,
        r#"{"name":5}"#,
        r#"{"name":"a\nb"}"#,
        r#"{"name":"a","expires_in_s":0}"#,
        r#"{"name":"a","expires_in_s":3153600001}"#,
        r#"{"name":"a","expires_in_s":9223372036854775808}"#,
        r#"{"name":"a","expires_in_s":-1}"#,
        r#"{"name":"a","admin":true}"#,
        r#"{"name":"a"} trailing"#,
        &long,
    ] {
        service.admin().post("/tokens/create").json(body).expect_error("invalid_request").await;
    }
    assert_eq!(service.admin().get("/tokens/list").send().await.items().len(), 0);
}
