//! Requests: guests upload with a token that can do nothing else, over every kind of storage.

use std::time::Duration;

use serde_json::{Value, json};
use sgsend::domain::crypto::guest_proof::GuestProof;
use sgsend::domain::crypto::request_secret::RequestSecret;
use sgsend::domain::id::TokenId;

use crate::support::{Api, Service, Started};

/// Creates a request of `owner` with these members; returns its id and a guest without a proof.
async fn request(service: &Started, owner: &Api, members: Value) -> (String, Api) {
    let secret = RequestSecret::random();
    let mut body = members;
    body["secret_sha256"] = secret.token(TokenId::random()).secret_sha256().to_string().into();
    let created = owner.post("/requests/create").json(&body.to_string()).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    let id = created.text("token_id");
    assert!(created.text("page_url").ends_with(&format!("/r/{id}")), "{created:?}");
    let token = secret.token(id.parse().unwrap()).to_text();
    (id, service.public().with_header("x-sgsend-token", &token))
}

/// Creates the transfer of a guest with 3 bytes; returns its response.
async fn create(guest: &Api, proof: &GuestProof) -> crate::support::ApiResponse {
    let create = guest.post("/transfers/create").header("x-sgsend-guest", &proof.digest().to_string());
    create.json(r#"{"size_bytes":3}"#).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_uploads_and_the_owner_has_the_transfer() {
    for service in Service::each() {
        let service = service.start().await;
        let owner = service.sender().await;
        let (request_id, guest) = request(&service, &owner, json!({"max_transfers": 2})).await;
        let proof = GuestProof::random();
        let id = create(&guest, &proof).await.text("transfer_id");
        let guest = guest.with_header("x-sgsend-guest", &proof.to_text());
        guest.upload(&id, b"abc").await;
        let listed = owner.get(&format!("/transfers/list?request={request_id}")).send().await;
        assert_eq!(listed.items()[0]["transfer_id"], id.as_str());
        assert_eq!(listed.items()[0]["token_id"], request_id.as_str());
        assert_eq!(owner.get("/transfers/list").send().await.items(), [Value::Null; 0]);
        let requests = owner.post("/requests/list").json("{}").send().await.items();
        let item = &requests[0];
        assert_eq!((&item["token_id"], &item["status"]), (&request_id.as_str().into(), &"active".into()));
        assert_eq!((&item["transfers_created"], &item["bytes_held"]), (&1.into(), &3.into()));
        let own = owner.get("/token/status").send().await.json();
        assert_eq!((&own["transfers_created"], &own["bytes_held"]), (&1.into(), &3.into()));
        // The owner changes and deletes it like an own one.
        let updated = owner.post(&format!("/transfers/id/{id}/update")).json(r#"{"max_downloads":7}"#).send().await;
        assert_eq!(updated.status, 200, "{updated:?}");
        let events = owner.get(&format!("/transfers/id/{id}/events/list")).send().await;
        assert_eq!(events.status, 200, "{events:?}");
        let deleted = owner.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
        assert_eq!(deleted.text("status"), "deleted");
        let own = owner.get("/token/status").send().await.json();
        // A signed upload URL could restore the payload, so its bytes stay reserved until the URL expires.
        let held = if Service::is_presigned() { 3 } else { 0 };
        assert_eq!((&own["transfers_created"], &own["bytes_held"]), (&1.into(), &held.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_request_can_only_upload() {
    let service = Service::any().start().await;
    let owner = service.sender().await;
    let (request_id, guest) = request(&service, &owner, json!({})).await;
    let proof = GuestProof::random();
    let id = create(&guest, &proof).await.text("transfer_id");
    let guest = guest.with_header("x-sgsend-guest", &proof.to_text());
    for path in ["/transfers/list", "/token/status", "/events/stream"] {
        guest.get(path).expect_error("not_for_requests").await;
    }
    for path in ["events/list", "actions/list"] {
        guest.get(&format!("/transfers/id/{id}/{path}")).expect_error("not_for_requests").await;
    }
    for path in ["/requests/create", "/requests/list", &format!("/requests/id/{request_id}/revoke")] {
        guest.post(path).json("{}").expect_error("not_for_requests").await;
    }
    for path in ["update", "links/create", "links/list"] {
        guest.post(&format!("/transfers/id/{id}/{path}")).json("{}").expect_error("not_for_requests").await;
    }
    for member in [r#""max_downloads":1"#, r#""own_link":"closed""#, r#""notify":"every""#] {
        let body = format!(r#"{{"size_bytes":3,{member}}}"#);
        let create = service.public().like(&guest).post("/transfers/create").json(&body);
        create.expect_error("invalid_request").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_guest_proof_of_an_upload_continues_it() {
    let service = Service::any().start().await;
    let owner = service.sender().await;
    let (_, guest) = request(&service, &owner, json!({})).await;
    let proof = GuestProof::random();
    let id = create(&guest, &proof).await.text("transfer_id");
    let routes = [
        ("POST", "payload/upload-bytes"),
        ("GET", "upload/status"),
        ("POST", "upload/create-presign-urls"),
        ("POST", "upload/complete"),
        ("POST", "delete"),
    ];
    let other = guest.clone().with_header("x-sgsend-guest", &GuestProof::random().to_text());
    for (method, route) in routes {
        let path = format!("/transfers/id/{id}/{route}");
        for wrong in [&guest, &other] {
            wrong.request(method, &path).expect_error("guest_proof_invalid").await;
        }
        if route != "delete" {
            owner.request(method, &path).expect_error("not_your_transfer").await;
        }
        let malformed = guest.request(method, &path).header("x-sgsend-guest", "secret");
        malformed.expect_error("invalid_request").await;
    }
    let right = guest.clone().with_header("x-sgsend-guest", &proof.to_text());
    right.upload(&id, b"abc").await;
    // A guest takes it back until it was downloaded.
    let deleted = right.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
    assert_eq!(deleted.text("status"), "deleted");
    let id = create(&guest, &proof).await.text("transfer_id");
    right.upload(&id, b"abc").await;
    let downloaded = service.public().get(&format!("/transfers/id/{id}/payload/download-bytes")).send().await;
    if downloaded.status == 200 {
        right.post(&format!("/transfers/id/{id}/delete")).json("{}").expect_error("already_downloaded").await;
    }
    // Without a proof, nothing is created. A sender needs none.
    guest.post("/transfers/create").json(r#"{"size_bytes":3}"#).expect_error("invalid_request").await;
    assert_eq!(create(&owner, &proof).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_without_the_secret_does_nothing() {
    let service = Service::any().start().await;
    let owner = service.sender().await;
    let (request_id, _) = request(&service, &owner, json!({})).await;
    let wrong = RequestSecret::random().token(request_id.parse().unwrap()).to_text();
    let stranger = service.public().with_header("x-sgsend-token", &wrong);
    create(&stranger, &GuestProof::random()).await.check("token_invalid");
    let other = service.sender().await;
    other.get(&format!("/transfers/list?request={request_id}")).expect_error("request_not_found").await;
    other.post(&format!("/requests/id/{request_id}/revoke")).json("{}").expect_error("request_not_found").await;
    let page = service.public().get(&format!("/r/{request_id}")).header("accept", "text/html").send().await;
    let unknown = service.public().get("/r/0123456789abcdef").header("accept", "text/html").send().await;
    assert_eq!((page.status, &page.body), (200, &unknown.body), "the page tells which ids exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_guests_at_a_limit_of_five_send_five() {
    for service in Service::each() {
        let service = service.start().await;
        let owner = service.sender().await;
        let (request_id, guest) = request(&service, &owner, json!({"max_transfers": 5})).await;
        let mut uploads = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let guest = guest.clone();
            uploads.spawn(async move {
                let proof = GuestProof::random();
                let created = create(&guest, &proof).await;
                if created.status == 429 {
                    created.check("quota_exceeded");
                    return false;
                }
                guest
                    .with_header("x-sgsend-guest", &proof.to_text())
                    .upload(&created.text("transfer_id"), b"abc")
                    .await;
                true
            });
        }
        let sent = uploads.join_all().await;
        assert_eq!(sent.into_iter().filter(|sent| *sent).count(), 5);
        let item = owner.post("/requests/list").json("{}").send().await.items()[0].clone();
        assert_eq!((&item["transfers_created"], &item["bytes_held"]), (&5.into(), &15.into()));
        let own = owner.get("/token/status").send().await.json();
        assert_eq!((&own["transfers_created"], &own["bytes_held"]), (&5.into(), &15.into()));
        let listed = owner.get(&format!("/transfers/list?request={request_id}")).send().await.items();
        assert!(listed.len() == 5 && listed.iter().all(|item| item["status"] == "completed"), "{listed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_ends_by_revocation_expiry_and_with_its_owner() {
    let service = Service::any().start().await;
    let owner = service.sender().await;
    let (request_id, guest) = request(&service, &owner, json!({})).await;
    for _ in 0..2 {
        let revoked = owner.post(&format!("/requests/id/{request_id}/revoke")).json("{}").send().await;
        assert_eq!(revoked.text("status"), "revoked");
    }
    create(&guest, &GuestProof::random()).await.check("token_revoked");
    let (_, guest) = request(&service, &owner, json!({"expires_in_s": 60})).await;
    service.advance_clock(Duration::from_mins(1));
    create(&guest, &GuestProof::random()).await.check("token_expired");
    let (_, guest) = request(&service, &owner, json!({})).await;
    let token_id = owner.get("/token/status").send().await.text("token_id");
    let tokens = service.admin().get("/tokens/list").send().await.items();
    let owners = tokens.iter().filter(|token| token["owner"] == token_id.as_str()).count();
    assert_eq!(owners, 3, "admins do not see whose requests there are: {tokens:?}");
    service.admin().post(&format!("/tokens/id/{token_id}/revoke")).json("{}").send().await;
    create(&guest, &GuestProof::random()).await.check("token_revoked");
}
