//! Sequence of requests of one transfer: create, upload, status, download and compare, delete.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use url::Url;

use crate::latencies::{Kind, Latencies};

/// Encrypted size of a payload in bytes.
const SIZE: usize = 1024 * 1024;
/// Number of status requests per transfer.
const STATUS_REQUESTS: u32 = 3;
/// Scheduled interval between the requests of one transfer.
const STEP: Duration = Duration::from_millis(100);
/// Timeout of a request; a timeout is an error.
const TIMEOUT: Duration = Duration::from_mins(1);

/// State shared by all transfers.
pub(crate) struct Scenario {
    client: Client,
    transfers: Url,
    /// Authorization headers of the senders, used in turn.
    authorizations: Vec<String>,
    /// Random bytes; each payload is a slice at another offset.
    bytes: Bytes,
    pub(crate) latencies: Latencies,
}

impl Scenario {
    /// Number of requests of one transfer.
    pub(crate) const REQUESTS: u32 = 6 + STATUS_REQUESTS;

    /// Prepares transfers to the service `public`; latencies count from the time `measured`.
    pub(crate) fn new(public: &Url, tokens: &[String], measured: Instant) -> Self {
        let mut bytes = vec![0; 2 * SIZE];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system's random generator works");
        let client = Client::builder().no_proxy().timeout(TIMEOUT).pool_idle_timeout(Duration::from_secs(10)).build();
        Self {
            client: client.expect("the client's settings are valid"),
            transfers: public.join("transfers/").expect("the path is valid"),
            authorizations: tokens.iter().map(|token| format!("Bearer {token}")).collect(),
            bytes: bytes.into(),
            latencies: Latencies::from(measured),
        }
    }

    /// Runs the requests of transfer `number`, starting at `due`.
    ///
    /// Each request has a scheduled start time and its latency counts from that time, so a late response also counts
    /// against the requests after it (no coordinated omission).
    pub(crate) async fn run(&self, number: u32, mut due: Instant) -> Result<(), String> {
        let start = number as usize * 4_099 % SIZE;
        let payload = self.bytes.slice(start..start + SIZE);

        let authorization = &self.authorizations[number as usize % self.authorizations.len()];
        let sender = |url: Result<Url, _>| {
            self.client.post(url.expect("the path is valid")).header(AUTHORIZATION, authorization.as_str())
        };

        let request = sender(self.transfers.join("create")).body(format!(r#"{{"size_bytes":{SIZE}}}"#));
        let created = json(&self.request(Kind::Create, due, request).await?)?;
        let id = created["transfer_id"].as_str().ok_or("the response has no transfer ID")?;
        let at = |path: &str| self.transfers.join(&format!("id/{id}/{path}"));

        due += STEP;
        let request = sender(at("payload/upload-bytes")).body(payload.clone());
        self.request(Kind::Upload, due, request).await?;
        due += STEP;
        self.request(Kind::Complete, due, sender(at("upload/complete"))).await?;
        for _ in 0..STATUS_REQUESTS {
            due += STEP;
            let request = self.client.get(at("status").expect("the path is valid"));
            let status = json(&self.request(Kind::Status, due, request).await?)?;
            if status["status"] != "completed" {
                return Err(format!("a completed transfer has status {}", status["status"]));
            }
        }
        due += STEP;
        let request = self.client.post(at("download/create-presign-url").expect("the path is valid"));
        let granted = json(&self.request(Kind::Grant, due, request).await?)?;
        let grant = granted["grant"].as_str().ok_or("the response has no grant")?;
        due += STEP;
        let request =
            self.client.get(at("payload/download-bytes").expect("the path is valid")).header("x-sgsend-grant", grant);
        if self.request(Kind::Download, due, request).await? != payload {
            return Err("a downloaded payload differs from the uploaded one".to_owned());
        }
        due += STEP;
        self.request(Kind::Delete, due, sender(at("delete"))).await?;
        Ok(())
    }

    /// Sends a request at `due`, or immediately if `due` has passed, and reads the whole response.
    async fn request(&self, kind: Kind, due: Instant, request: RequestBuilder) -> Result<Bytes, String> {
        sleep_until(due).await;
        let failed = |error: reqwest::Error| format!("{kind:?}: {}", sgsend::domain::error::chain(&error));
        let response: Response = request.send().await.map_err(failed)?;
        let status = response.status();
        let body = response.bytes().await.map_err(failed)?;
        self.latencies.record(kind, due);
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
