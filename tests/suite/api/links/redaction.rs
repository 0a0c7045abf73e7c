//! Nothing public under a further link names its transfer or another link.

use std::collections::BTreeSet;
use std::time::Duration;

use sgsend::domain::crypto::proof::Grant;
use sgsend::server::StorageLocation;

use super::TestLink;
use crate::support::{Api, ApiResponse, Service, Started, bucket};

/// Returns each text, number and header of a response, as far as it is specific.
fn facts(response: &ApiResponse, facts: &mut BTreeSet<String>) {
    fn collect(value: &serde_json::Value, facts: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(members) => members.values().for_each(|value| collect(value, facts)),
            serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, facts)),
            // Small numbers and words are not specific to a transfer.
            serde_json::Value::Number(number) if number.as_u64().is_some_and(|number| number > 1_000_000) => {
                facts.insert(number.to_string());
            }
            serde_json::Value::String(text)
                if text.len() >= 16 && text.bytes().any(|byte| byte.is_ascii_digit()) && !text.contains(' ') =>
            {
                facts.insert(text.clone());
            }
            _ => {}
        }
    }
    for name in ["etag", "location", "x-sgsend-grant", "content-disposition"] {
        facts.insert(response.header(name).to_owned());
    }
    if let Ok(json) = serde_json::from_slice(&response.body) {
        collect(&json, facts);
    }
}

/// Returns the id of the payload in a presigned URL.
fn payload_id(url: &str) -> String {
    let id = url.split_once("/payloads/p").and_then(|(_, rest)| rest.split_once('/')).expect("a payload id").0;
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{url}");
    format!("/payloads/p{id}/")
}

/// Collects everything public under a link, without its proof and with it.
async fn public_facts(anyone: &Api, link: &TestLink, transfer: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let grant = Grant::random();
    let mut responses = Vec::new();
    for path in ["status", "events/list", "actions/list", "payload/download-bytes"] {
        responses.push(anyone.get(&link.path(path)).send().await);
    }
    responses.push(anyone.post(&link.path("events/add")).json(r#"{"kind":"link_opened"}"#).send().await);
    responses.push(anyone.post(&link.path("download/create-presign-url")).json("{}").send().await);
    for path in ["upload/status", "links/list", "delete", "update"] {
        let method = if path == "upload/status" { "GET" } else { "POST" };
        responses.push(anyone.request(method, &link.path(path)).json("{}").send().await);
    }
    let started = link.grant(anyone, &grant).await;
    assert_eq!(started.status, 200, "{started:?}");
    let url = started.text("url");
    if started.text("mode") == "presigned" {
        assert!(url.contains(&payload_id(&url)), "{url}");
        let stored = reqwest::Client::builder().no_proxy().build().unwrap().get(&url).send().await.unwrap();
        let headers = format!("{:?}", stored.headers());
        assert!(!headers.contains(transfer) && !headers.contains(&link.id), "{headers}");
        assert_eq!(stored.bytes().await.unwrap(), &b"a payload"[..]);
        assert!(started.text("fallback_url").contains(&link.id), "{started:?}");
    } else {
        assert!(url.contains(&link.id), "{url}");
    }
    responses.push(started);
    responses.push(link.prove(anyone.post(&link.path("events/add"))).json(r#"{"kind":"link_opened"}"#).send().await);
    for path in ["payload/download-bytes", "events/list", "actions/list", "status"] {
        let request = link.prove(anyone.get(&link.path(path))).header("x-sgsend-grant", &grant.to_text());
        responses.push(request.send().await);
    }
    let head = link.prove(anyone.request("HEAD", &link.path("payload/download-bytes"))).send().await;
    assert_eq!(head.header("etag"), format!("\"{}\"", link.id));
    responses.push(head);
    for response in &responses {
        facts(response, &mut found);
        let text = format!("{response:?} {:?}", response.headers);
        assert!(!text.contains(transfer), "{text}");
    }
    found
}

async fn links_share_nothing(service: &Started) {
    let (sender, anyone) = (service.sender().await, service.public());
    let transfer = sender.create(9, r#""own_link":"closed""#).await;
    let one = TestLink::of(&sender, &transfer, r#""max_downloads":3"#).await;
    service.advance_clock(Duration::from_secs(7));
    let two = TestLink::of(&sender, &transfer, r#""expires_in_s":7200"#).await;
    sender.upload(&transfer, b"a payload").await;
    let of_one = public_facts(&anyone, &one, &transfer).await;
    service.advance_clock(Duration::from_secs(7));
    let of_two = public_facts(&anyone, &two, &transfer).await;
    let completed_at = one.status(&anyone).await.number("completed_at").to_string();
    // Recipients who have both proofs see that both are of one payload, which was completed at one time and has one id.
    let is_shared = |fact: &&String| **fact == completed_at || fact.contains("/payloads/p");
    let common: Vec<_> = of_one.intersection(&of_two).filter(|fact| !is_shared(fact)).collect();
    let shared = ["", "attachment"];
    let common: Vec<_> = common.into_iter().filter(|fact| !shared.contains(&fact.as_str())).collect();
    assert!(common.is_empty(), "{common:?}");
    // Without the proof, the status says only what every link says.
    let redacted = anyone.get(&one.path("status")).send().await.json();
    let mut members: Vec<_> = redacted.as_object().unwrap().keys().cloned().collect();
    members.sort_unstable();
    assert_eq!(members, ["access_proof", "mode", "status", "transfer_id"]);
    // Neither does the own link tell of the others.
    for path in ["status", "events/list", "actions/list"] {
        let text = format!("{:?}", anyone.get(&format!("/transfers/id/{transfer}/{path}")).send().await);
        assert!(!text.contains(&one.id) && !text.contains(&two.id), "{text}");
    }
}

#[tokio::test]
async fn two_links_of_a_transfer_have_nothing_public_in_common() {
    for service in Service::each() {
        links_share_nothing(&service.start().await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_two_links_of_a_transfer_have_nothing_public_in_common() {
    links_share_nothing(&Service::at(StorageLocation::S3(bucket::fresh().await)).start().await).await;
}
