//! `GET /events/stream`: order, resumption, revocation, and several servers.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Api, Home, Service, Started};

/// Reader of an event stream.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(service: &Started, sender: &Api, last: Option<&str>) -> Self {
        Self::at(&format!("http://{}", service.public), sender.authorization(), last).await
    }

    async fn at(url: &str, authorization: &str, last: Option<&str>) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.get(format!("{url}/events/stream")).header("authorization", authorization);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, text: String::new() };
        let first = stream.block().await.unwrap();
        assert!(first.starts_with("retry: 5000\nid: ") && first.ends_with("\n: connected"), "{first}");
        stream
    }

    /// Returns the next block of lines; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.clone().split_once("\n\n") {
                rest.clone_into(&mut self.text);
                return Some(block.to_owned());
            }
            let chunk =
                tokio::time::timeout(Duration::from_secs(40), self.response.chunk()).await.expect("a heartbeat");
            self.text += std::str::from_utf8(&chunk.ok()??).unwrap();
        }
    }

    /// Returns id and data of the next event.
    async fn event(&mut self) -> (String, Value) {
        loop {
            let block = self.block().await.expect("another event");
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                let data: Value = serde_json::from_str(&data).unwrap();
                assert_eq!(field("event: ").as_deref(), data["kind"].as_str());
                return (id, data);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_the_events_of_its_own_transfers_and_resumes_after_the_last_one() {
    for service in Service::each() {
        let service = service.start().await;
        let (sender, other) = (service.sender().await, service.sender().await);
        let mut stream = Stream::open(&service, &sender, None).await;
        other.send_payload(b"abc", "").await;
        let id = sender.send_payload(b"abc", r#""max_downloads":1"#).await;
        let (first, completed) = stream.event().await;
        assert_eq!(
            (completed["kind"].as_str(), completed["transfer_id"].as_str()),
            (Some("transfer.completed"), Some(&*id))
        );
        drop(stream);
        let path = format!("/transfers/id/{id}/download/create-presign-url");
        assert_eq!(service.public().post(&path).json("{}").send().await.status, 200);
        service.advance_clock(Duration::from_mins(5));
        let mut resumed = Stream::open(&service, &sender, Some(&first)).await;
        let kinds =
            [resumed.event().await.1, resumed.event().await.1].map(|data| data["kind"].as_str().unwrap().to_owned());
        assert_eq!(kinds, ["transfer.first_download", "transfer.exhausted"]);
        sender.get("/events/stream").header("last-event-id", "x").expect_error("invalid_request").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_within_a_heartbeat_of_the_revocation_and_a_token_has_eight() {
    let service = Service::any().start().await;
    let created = service.admin().post("/tokens/create").json(r#"{"name":"x"}"#).send().await;
    let sender = service.public().with_header("authorization", &format!("Bearer {}", created.text("token")));
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(Stream::open(&service, &sender, None).await);
    }
    sender.get("/events/stream").expect_error("rate_limited").await;
    drop(streams.split_off(1));
    let mut stream = streams.pop().unwrap();
    let path = format!("/tokens/id/{}/revoke", created.text("token_id"));
    let started = Instant::now();
    assert_eq!(service.admin().post(&path).json("{}").send().await.status, 200);
    while stream.block().await.is_some() {}
    assert!(started.elapsed() < Duration::from_secs(20), "the stream ended after {:?}", started.elapsed());
    sender.get("/events/stream").expect_error("token_revoked").await;
    service.public().get("/events/stream").expect_error("token_missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_one_server_has_the_events_of_another() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let all = home.serve(&["--storage", &store]);
    let other = home.serve_one("public", &["--storage", &store]);
    let created = home.run_at(&all, &["token", "create", "x", "--login", "--json"]).json();
    let authorization = format!("Bearer {}", created["token"].as_str().unwrap());
    let mut stream = Stream::at(&other.public, &authorization, None).await;
    let file = home.file("a.txt", b"abc");
    home.run_at(&all, &["upload", &file]).text();
    assert_eq!(stream.event().await.1["kind"], "transfer.completed");
    let started = Instant::now();
    let log = other.terminate();
    assert!(started.elapsed() < Duration::from_secs(8), "the stream delayed the end of the server: {log}");
}
