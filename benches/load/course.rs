//! The course of one transfer: made, sent, looked at, fetched and compared, deleted.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use url::Url;

use crate::latencies::{Kind, Latencies};

/// Bytes of a payload.
const SIZE: usize = 1024 * 1024;
/// How often the status of a transfer is asked for.
const LOOKS: u32 = 3;
/// How long after each other the requests of one transfer are meant to begin.
const STEP: Duration = Duration::from_millis(100);
/// The longest that an answer may take: one that never comes is an error.
const PATIENCE: Duration = Duration::from_mins(1);

/// What transfers have in common.
pub(crate) struct Course {
    client: Client,
    transfers: Url,
    /// What the senders authorize themselves with, who take turns.
    authorizations: Vec<String>,
    /// Random; each payload is a piece of it from a place of its own.
    bytes: Bytes,
    pub(crate) latencies: Latencies,
}

impl Course {
    /// Requests that one transfer makes.
    pub(crate) const REQUESTS: u32 = 6 + LOOKS;

    /// Transfers of `public`, whose latencies are measured from then on.
    pub(crate) fn new(public: &Url, tokens: &[String], measured: Instant) -> Self {
        let mut bytes = vec![0; 2 * SIZE];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bytes");
        let client = Client::builder().no_proxy().timeout(PATIENCE).pool_idle_timeout(Duration::from_secs(10)).build();
        Self {
            client: client.expect("these settings make a client"),
            transfers: public.join("transfers/").expect("a service has transfers"),
            authorizations: tokens.iter().map(|token| format!("Bearer {token}")).collect(),
            bytes: bytes.into(),
            latencies: Latencies::from(measured),
        }
    }

    /// Goes through the course with transfer `number`, which was to begin at `due`.
    ///
    /// Each request is to begin at a moment that was set beforehand, and its latency counts from there: where one is
    /// late, what is late after it counts as late too.
    pub(crate) async fn run(&self, number: u32, mut due: Instant) -> Result<(), String> {
        let start = number as usize * 4_099 % SIZE;
        let payload = self.bytes.slice(start..start + SIZE);

        let authorization = &self.authorizations[number as usize % self.authorizations.len()];
        let sender =
            |url: Result<Url, _>| self.client.post(url.expect("a path")).header(AUTHORIZATION, authorization.as_str());

        let request = sender(self.transfers.join("create")).body(format!(r#"{{"size_bytes":{SIZE}}}"#));
        let created = json(&self.ask(Kind::Create, due, request).await?)?;
        let id = created["transfer_id"].as_str().ok_or("a transfer without an id")?;
        let at = |path: &str| self.transfers.join(&format!("id/{id}/{path}"));

        due += STEP;
        let request = sender(at("payload/upload-bytes")).body(payload.clone());
        self.ask(Kind::Upload, due, request).await?;
        due += STEP;
        self.ask(Kind::Complete, due, sender(at("upload/complete"))).await?;
        for _ in 0..LOOKS {
            due += STEP;
            let request = self.client.get(at("status").expect("a path"));
            let status = json(&self.ask(Kind::Status, due, request).await?)?;
            if status["status"] != "completed" {
                return Err(format!("a completed transfer is {}", status["status"]));
            }
        }
        due += STEP;
        let request = self.client.post(at("download/create-presign-url").expect("a path"));
        let granted = json(&self.ask(Kind::Grant, due, request).await?)?;
        let grant = granted["grant"].as_str().ok_or("a download without a grant")?;
        due += STEP;
        let request = self.client.get(at("payload/download-bytes").expect("a path")).header("x-sgsend-grant", grant);
        if self.ask(Kind::Download, due, request).await? != payload {
            return Err("a payload came back with other bytes".to_owned());
        }
        due += STEP;
        self.ask(Kind::Delete, due, sender(at("delete"))).await?;
        Ok(())
    }

    /// Asks at `due`, or now where that is over, and takes the whole answer.
    async fn ask(&self, kind: Kind, due: Instant, request: RequestBuilder) -> Result<Bytes, String> {
        sleep_until(due).await;
        let failed = |error: reqwest::Error| format!("{kind:?}: {}", sgsend::domain::error::chain(&error));
        let answer: Response = request.send().await.map_err(failed)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(failed)?;
        self.latencies.note(kind, due);
        if status.is_success() {
            Ok(body)
        } else {
            Err(format!("{kind:?}: {status}: {}", String::from_utf8_lossy(&body)))
        }
    }
}

fn json(body: &Bytes) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
