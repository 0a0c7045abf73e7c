//! Info blocks: stored with the completion, returned to clients that may download.

use sgsend::domain::crypto::info::ContentInfo;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::proof::AccessProof;

use crate::support::{Api, Service};

fn sealed_info(key: &PayloadKey) -> String {
    let info = ContentInfo {
        filename: "a.txt".to_owned(),
        size: 7,
        content_type: None,
        archive: None,
        message: Some("for you".to_owned()),
        modified_ms: None,
    };
    info.seal(key).as_str().to_owned()
}

fn complete_path(id: &str) -> String {
    format!("/transfers/id/{id}/upload/complete")
}

/// Creates a transfer, and uploads its payload without completing it.
async fn uploaded(sender: &Api, members: &str) -> String {
    let id = sender.create(7, members).await;
    let response = sender.post(&format!("/transfers/id/{id}/payload/upload-bytes")).bytes(b"payload").send().await;
    assert_eq!(response.status, 200, "{response:?}");
    id
}

#[tokio::test]
async fn an_info_block_is_returned_as_it_was_sent_while_the_transfer_is_ready() {
    let service = Service::any().start().await;
    let (sender, anyone) = (service.sender().await, service.public());
    let id = uploaded(&sender, r#""max_downloads":1"#).await;
    let info = sealed_info(&PayloadKey::random());
    let body = format!(r#"{{"info":"{info}"}}"#);
    for _ in 0..2 {
        let completed = sender.post(&complete_path(&id)).json(&body).send().await;
        assert_eq!(completed.status, 200, "{completed:?}");
        assert!(completed.json()["info"].is_null(), "{completed:?}");
    }
    assert_eq!(anyone.status(&id).await.text("info"), info);
    let other = format!(r#"{{"info":"{}"}}"#, sealed_info(&PayloadKey::random()));
    sender.post(&complete_path(&id)).json(&other).expect_error("info_mismatch").await;
    sender.post(&complete_path(&id)).json("{}").expect_error("info_mismatch").await;
    assert_eq!(anyone.status(&id).await.text("info"), info);

    let path = format!("/transfers/id/{id}/payload/download-bytes");
    assert_eq!(anyone.get(&path).send().await.status, 200);
    let exhausted = anyone.status(&id).await;
    assert_eq!(exhausted.text("status"), "exhausted");
    assert!(exhausted.json()["info"].is_null(), "{exhausted:?}");
}

#[tokio::test]
async fn an_info_block_needs_the_access_proof_of_its_transfer() {
    let service = Service::any().start().await;
    let (sender, anyone) = (service.sender().await, service.public());
    for by_passphrase in [false, true] {
        let key = PayloadKey::random();
        let (right, wrong) = (AccessProof::of(&key), AccessProof::of(&PayloadKey::random()));
        let members = format!(r#""access_sha256":"{}","access_from_passphrase":{by_passphrase}"#, right.digest());
        let id = uploaded(&sender, &members).await;
        let info = sealed_info(&key);
        let completed = sender.post(&complete_path(&id)).json(&format!(r#"{{"info":"{info}"}}"#)).send().await;
        assert_eq!(completed.status, 200, "{completed:?}");

        let path = format!("/transfers/id/{id}/status");
        assert!(anyone.status(&id).await.json()["info"].is_null());
        assert!(sender.status(&id).await.json()["info"].is_null());
        let with = |proof: &AccessProof| anyone.get(&path).header("x-sgsend-access", &proof.to_text());
        assert_eq!(with(&right).send().await.text("info"), info);
        with(&wrong).expect_error("access_invalid").await;
        anyone.get(&path).header("x-sgsend-access", "short").expect_error("invalid_request").await;
        // A proof counts no download.
        assert_eq!(anyone.status(&id).await.number("download_count"), 0);

        // Wrong proofs are limited where a passphrase could be guessed.
        let mut codes = Vec::new();
        for _ in 0..12 {
            codes.push(with(&wrong).send().await.code());
        }
        let expected = if by_passphrase { "rate_limited" } else { "access_invalid" };
        assert_eq!(codes.last().unwrap(), expected);
        sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
        let deleted = with(&wrong).send().await;
        assert_eq!((deleted.status, deleted.text("status").as_str()), (200, "deleted"));
        assert!(deleted.json()["info"].is_null());
    }
}

#[tokio::test]
async fn only_the_form_of_an_info_block_is_stored() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = uploaded(&sender, "").await;
    let good = sealed_info(&PayloadKey::random());
    for bad in ["", "a", "plain text", &good[1..], &good[4..], &format!("{good}="), &good.repeat(17)] {
        let body = format!(r#"{{"info":"{bad}"}}"#);
        sender.post(&complete_path(&id)).json(&body).expect_error("invalid_request").await;
    }
    assert_eq!(service.public().status(&id).await.text("status"), "pending");
}
