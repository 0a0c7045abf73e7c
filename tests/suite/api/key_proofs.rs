//! Proofs that an admin service knows its generated key.

use sgsend::domain::crypto::key_proof;
use sgsend::server::AdminKey;

use crate::support::{ApiResponse, Service, Started};

/// Key of the form that services generate.
const GENERATED: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const NONCE: &str = "0123456789abcdef0123456789abcdef";

async fn started(key: &str) -> Started {
    let key = AdminKey::new(key).unwrap().generated();
    Service::any().with(|settings| settings.admin_key = Some(key)).start().await
}

async fn prove(service: &Started, host: &str, body: &str) -> ApiResponse {
    service.admin_without_key().post("/auth/prove").header("host", host).json(body).send().await
}

#[tokio::test]
async fn a_proof_is_given_for_the_address_of_the_listener_only() {
    let service = started(GENERATED).await;
    let (own, port) = (service.admin.to_string(), service.admin.port());
    let body = format!(r#"{{"nonce":"{NONCE}"}}"#);
    for host in [own.clone(), format!("localhost:{port}")] {
        let response = prove(&service, &host, &body).await;
        assert_eq!(response.status, 200, "{host}: {response:?}");
        let origin = format!("http://{own}");
        assert_eq!(response.text("origin"), origin);
        assert!(key_proof::verify(GENERATED, NONCE, &origin, &response.text("proof")), "{response:?}");
        assert!(!response.text("proof").contains(GENERATED));
    }
    for host in [
        service.public.to_string(),
        format!("127.0.0.2:{port}"),
        format!("[::1]:{port}"),
        format!("admin.example:{port}"),
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
    ] {
        let response = prove(&service, &host, &body).await;
        assert_eq!((response.status, response.code().as_str()), (403, "origin_not_allowed"), "{host}");
    }
    for body in ["", "{}", r#"{"nonce":""}"#, r#"{"nonce":"short"}"#, r#"{"nonce":"a b c d e f g h i"}"#, "[]"] {
        assert_eq!(prove(&service, &own, body).await.status, 400, "{body}");
    }
    let extended = format!(r#"{{"nonce":"{NONCE}","origin":"http://127.0.0.1:1"}}"#);
    assert_eq!(prove(&service, &own, &extended).await.status, 400);
}

#[tokio::test]
async fn a_configured_key_is_never_proven() {
    // A person's key could be guessed with a proof, even if the service were told that it had generated the key.
    let service = started("a key that a person has chosen, long enough").await;
    let response = prove(&service, &service.admin.to_string(), &format!(r#"{{"nonce":"{NONCE}"}}"#)).await;
    assert_eq!((response.status, response.code().as_str()), (404, "proof_unavailable"));
}

#[tokio::test]
async fn proofs_are_rate_limited_and_the_key_is_not() {
    let service = started(GENERATED).await;
    let (host, body) = (service.admin.to_string(), format!(r#"{{"nonce":"{NONCE}"}}"#));
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 5_000 {
        statuses.push(prove(&service, &host, &body).await.status);
    }
    assert!(statuses.len() > 400, "{} proofs in a burst", statuses.len());
    assert_eq!(statuses.last(), Some(&429), "proofs are not limited");
    let with_key = service.admin_without_key().get("/tokens/list").header("x-api-key", GENERATED).send().await;
    assert_eq!(with_key.status, 200);
}
