//! Disks on which each sync takes long: limits, deletions and the requests of strangers.

use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::faulty_disk::FaultyDisk;
use crate::home::{Home, ServerProcess, contents};
use crate::http_client::{Client, text};

/// Time that a sync takes.
const SYNC: Duration = Duration::from_millis(100);

/// Number of requests of strangers, and how many are sent at once.
const STRANGERS: (usize, usize) = (1_000, 50);

/// More memory than records of these requests may take, in bytes.
const MAX_GROWTH: u64 = 32 << 20;

/// Returns the resident memory of a process, in bytes.
fn memory(server: &ServerProcess) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the process runs");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Sends a change that must be acknowledged, and checks that the response has waited for a sync.
async fn change(client: &Client, path: &str, body: &str) -> serde_json::Value {
    let started = Instant::now();
    let response = client.post(path, body.to_owned()).await.unwrap();
    assert!([200, 201].contains(&response.status), "{path}: {response:?}");
    assert!(started.elapsed() >= SYNC, "{path} was acknowledged before the disk was synced: {:?}", started.elapsed());
    response.json().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_deletions_hold_on_a_slow_disk_and_strangers_block_nobody() {
    let Some(FaultyDisk { home, fault }) = FaultyDisk::new(Home::new()) else { return };
    let server = home.serve();
    let admin = Client::of(&server, "");
    let token = text(&admin.admin_post("/tokens/create", r#"{"name":"test"}"#).await.unwrap().json().unwrap(), "token");
    let client = admin.with_token(&token);
    fs::write(&fault, format!("delay {}", SYNC.as_millis())).unwrap();

    let created = change(&client, "/transfers/create", r#"{"size_bytes":3,"max_downloads":3}"#).await;
    let path = |rest: &str| format!("/transfers/id/{}/{rest}", text(&created, "transfer_id"));
    change(&client, &path("payload/upload-bytes"), "abc").await;
    change(&client, &path("upload/complete"), "{}").await;

    let grants = join_all((0..12).map(async |_| client.post(&path("download/create-presign-url"), "{}").await));
    let responses: Vec<_> = grants.await.into_iter().map(|response| response.unwrap().outcome().unwrap()).collect();
    let granted = responses.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(granted, 3, "{responses:?}");
    assert!(responses.iter().all(|(status, code)| *status == 200 || code == "transfer_exhausted"), "{responses:?}");

    let before = memory(&server);
    let stranger = Client::of(&server, "");
    let flood = async {
        for _ in 0..STRANGERS.0 / STRANGERS.1 {
            let round = (0..STRANGERS.1).map(|_| stranger.get("/transfers/id/unknown/status"));
            for response in join_all(round).await {
                assert!(response.unwrap().status >= 400);
            }
        }
    };
    let others = async {
        let started = Instant::now();
        let status = client.get(&path("status")).await.unwrap().json().unwrap();
        assert_eq!(status["download_count"], 3, "{status}");
        started.elapsed()
    };
    let ((), waited) = tokio::join!(flood, others);
    assert!(waited < Duration::from_secs(5), "strangers have blocked another client for {waited:?}");
    let growth = memory(&server).saturating_sub(before);
    assert!(growth < MAX_GROWTH, "{} MiB more", growth >> 20);

    let payloads = home.store().join("payloads");
    assert_eq!(contents(&payloads), b"abc");
    change(&client, &path("delete"), "{}").await;
    server.kill();
    assert_eq!(contents(&payloads), b"", "the payload of a deleted transfer is still there");
    let server = home.serve();
    let status = Client::of(&server, "").get(&path("status")).await.unwrap().json().unwrap();
    assert_eq!(status["status"], "deleted", "{status}");
    home.output();
}
