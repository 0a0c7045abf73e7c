//! Floods of requests by a stranger, and what they leave in the store.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::proof::AccessProof;
use sgsend::server::RateMode;

use super::{from, proxied};
use crate::support::{Api, Request, Service, Started, eventually};

/// Limit on what a stranger adds to the store in a day, in bytes.
const MAX_GROWTH: u64 = 50_000_000;
/// Limit on what a stranger adds to the database, without its write-ahead log, in bytes.
///
/// The budgets of one network, 7 MiB in all, and what the pages of the database add.
const MAX_DATABASE_GROWTH: u64 = 10_000_000;
/// Requests of the stranger in the short form. The long form has those of a day at the default rate.
const REQUESTS: usize = 14_000;
/// Number of steps in which the clock advances by a day.
const STEPS: usize = 100;
/// Time from the start of the clock, at noon UTC, to the next UTC day. Budgets are those of a UTC day.
const UNTIL_MIDNIGHT: Duration = Duration::from_hours(12);
/// A hundredth of a day, a little less so that all steps are in one UTC day.
const STEP: Duration = Duration::from_secs(860);

/// Returns the size of all files in a folder, in bytes.
fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { size_of(&path) } else { path.metadata().map_or(0, |file| file.len()) }).sum()
}

/// Sends one request of each kind that a stranger can send about a transfer; returns their number.
async fn flood_once(stranger: &Api, admin: &Api, id: &str, wrong_proof: &str) -> usize {
    let path = |rest: &str| format!("/transfers/id/{id}/{rest}");
    let unknown = "0".repeat(32);
    let requests = [
        stranger.get(&path("status")),
        stranger.get(&path("payload/download-bytes")),
        stranger.post(&path("download/create-presign-url")).json("{}"),
        stranger.post(&path("events/add")).json(r#"{"kind":"link_opened"}"#),
        stranger.get(&path("payload/download-bytes")).header("x-sgsend-access", wrong_proof),
        stranger.post(&path("delete")).json("{}"),
        stranger.get(&format!("/transfers/id/{unknown}/status")),
        stranger.get("/token/status").header("x-sgsend-token", "no-token"),
        admin.get("/tokens/list"),
    ];
    let requests = requests.map(Request::send);
    join_all(requests).await.len()
}

/// Uses a transfer as its sender and a recipient do; returns the number of requests about the transfer.
async fn use_transfer(service: &Started, sender: &Api) -> (String, usize) {
    let id = sender.send_payload(b"honest", r#""max_downloads":2"#).await;
    let recipient = from(&service.public(), "198.51.100.7");
    recipient.status(&id).await;
    let path = format!("/transfers/id/{id}/payload/download-bytes");
    assert_eq!(recipient.get(&path).send().await.body[..], b"honest"[..]);
    assert_eq!(recipient.get(&path).send().await.body[..], b"honest"[..]);
    recipient.get(&path).expect_error("transfer_exhausted").await;
    recipient.post(&format!("/transfers/id/{id}/delete")).json("{}").expect_error("token_missing").await;
    sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
    (id, 9)
}

#[tokio::test]
async fn a_day_of_requests_of_a_stranger_adds_little_and_hides_nothing_of_others() {
    let rate = RateMode::Limited("1000000/s".parse().unwrap());
    let service = Service::on_disk().with(proxied).with(|settings| settings.rate = rate).start().await;
    service.advance_clock(UNTIL_MIDNIGHT);
    let created = service.admin().post("/tokens/create").json(r#"{"name":"a"}"#).send().await;
    let sender = from(&service.public(), "203.0.113.251").with_header("x-sgsend-token", &created.text("token"));
    let limited = sender.send_payload(b"abc", r#""max_downloads":5"#).await;
    let open = sender.send_payload(b"abc", "").await;
    let wrong = AccessProof::of(&PayloadKey::random());
    let protected = sender.send_payload(b"abc", &format!(r#""access_sha256":"{}""#, wrong.digest())).await;
    let wrong = AccessProof::of(&PayloadKey::random()).to_text();
    let (stranger, admin) = (from(&service.public(), "203.0.113.9"), from(&service.admin_without_key(), "203.0.113.9"));
    let wanted = std::env::var("SGSEND_FLOOD_REQUESTS").map_or(REQUESTS, |number| number.parse().unwrap());

    let before = size_of(service.folder());
    let (mut sent, mut honest) = (0, Vec::new());
    for step in 1..=STEPS {
        while sent < wanted / STEPS * step {
            for id in [&limited, &open, &protected] {
                sent += flood_once(&stranger, &admin, id, &wrong).await;
            }
        }
        service.advance_clock(STEP);
        if step % (STEPS / 4) == 0 {
            honest.push(use_transfer(&service, &sender).await);
        }
    }
    for (id, requests) in honest {
        let trail = async || {
            let all = service.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await.items();
            let recorded = all.iter().filter(|record| record["type"] == "request").count();
            assert!(all.iter().all(|record| record["kind"] != "audit_truncated"), "records of others were skipped");
            (recorded == requests).then_some(())
        };
        eventually(trail).await;
    }
    let growth = size_of(service.folder()).saturating_sub(before);
    println!("{sent} requests of a stranger added {} kB", growth / 1_000);
    assert!(growth < MAX_GROWTH, "{growth} bytes");
    let database = service.folder().join("records.sqlite").metadata().unwrap().len();
    assert!(database < MAX_DATABASE_GROWTH, "{database} bytes");
    let truncated = async || {
        let all = sender.get(&format!("/transfers/id/{open}/events/list?limit=1000")).send().await.items();
        all.iter().any(|record| record["kind"] == "audit_truncated").then_some(())
    };
    eventually(truncated).await;
}
