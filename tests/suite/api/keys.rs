//! Keys for recipients: stored with the completion, given to everybody with the id.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::proof::AccessProof;

use super::links::TestLink;
use crate::support::{Api, Service};

/// Bytes with the first line of an age file.
fn age_file(rest: &str) -> Vec<u8> {
    format!("age-encryption.org/v1\n{rest}").into_bytes()
}

fn body(file: &[u8]) -> String {
    format!(r#"{{"keys":"{}"}}"#, URL_SAFE_NO_PAD.encode(file))
}

/// Creates a transfer, and uploads its payload without completing it.
async fn uploaded(sender: &Api, members: &str) -> String {
    let id = sender.create(7, members).await;
    let response = sender.post(&format!("/transfers/id/{id}/payload/upload-bytes")).bytes(b"payload").send().await;
    assert_eq!(response.status, 200, "{response:?}");
    id
}

#[tokio::test]
async fn keys_are_given_out_as_they_were_sent_while_the_transfer_can_be_downloaded() {
    let service = Service::any().start().await;
    let (sender, anyone) = (service.sender().await, service.public());
    let proof = AccessProof::of(&PayloadKey::random());
    let members = format!(r#""max_downloads":1,"access_sha256":"{}""#, proof.digest());
    let id = uploaded(&sender, &members).await;
    let (path, complete) = (format!("/transfers/id/{id}/keys"), format!("/transfers/id/{id}/upload/complete"));
    anyone.get(&path).expect_error("not_completed").await;
    let file = age_file(&"k".repeat(16 * 1024 - 22));
    for _ in 0..2 {
        let completed = sender.post(&complete).json(&body(&file)).send().await;
        assert_eq!(completed.status, 200, "{completed:?}");
        assert!(completed.json()["keys"].is_null(), "{completed:?}");
    }
    for other in [body(&age_file("other")), "{}".to_owned()] {
        sender.post(&complete).json(&other).expect_error("info_mismatch").await;
    }
    let keys = anyone.get(&path).send().await;
    assert_eq!((keys.status, keys.header("content-type"), &keys.body), (200, "application/octet-stream", &file.into()));

    // Also after the last download, which may have to be resumed; under no other id; and never after the deletion.
    let link = TestLink::of(&sender, &id, "").await;
    let download = anyone.get(&format!("/transfers/id/{id}/payload/download-bytes"));
    assert_eq!(download.header("x-sgsend-access", &proof.to_text()).send().await.status, 200);
    assert_eq!(anyone.get(&path).send().await.status, 200);
    anyone.get(&format!("/transfers/id/{}/keys", link.id)).expect_error("no_keys").await;
    sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
    anyone.get(&path).expect_error("transfer_deleted").await;
    let actions = sender.get(&format!("/transfers/id/{id}/actions/list?limit=1000")).send().await.items();
    assert!(actions.iter().any(|action| action["action"] == "keys.read"), "{actions:?}");
}

#[tokio::test]
async fn a_transfer_without_keys_and_an_unknown_one_have_errors_of_their_own() {
    let service = Service::any().start().await;
    let (sender, anyone) = (service.sender().await, service.public());
    let id = sender.send_payload(b"payload", "").await;
    anyone.get(&format!("/transfers/id/{id}/keys")).expect_error("no_keys").await;
    anyone.get(&format!("/transfers/id/{}/keys", "0".repeat(32))).expect_error("transfer_not_found").await;
    anyone.get("/transfers/id/x/keys").expect_error("invalid_id").await;
}

#[tokio::test]
async fn only_an_age_file_of_at_most_16_kib_is_stored() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = uploaded(&sender, "").await;
    for file in [b"".as_slice(), b"hello", &age_file(&"k".repeat(16 * 1024 - 21)), &age_file("")] {
        let complete = sender.post(&format!("/transfers/id/{id}/upload/complete")).json(&body(file));
        complete.expect_error("invalid_request").await;
    }
    assert_eq!(service.public().status(&id).await.text("status"), "pending");
}
