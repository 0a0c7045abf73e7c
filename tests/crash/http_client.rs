//! An HTTP API client each of whose requests may be lost.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use serde_json::Value;

use crate::home::{ADMIN_KEY, ServerProcess};

/// Timeout beyond which a request counts as lost; a running server responds much sooner.
const NO_ANSWER: Duration = Duration::from_secs(20);

/// The connection was lost, and the effect of the request is unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    public: String,
    admin: String,
    token: String,
}

/// A response.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Bytes,
    /// The connection broke in the middle of the body.
    cut: bool,
}

impl Client {
    /// Creates a client of `server`, with a sender token if `token` is not empty.
    pub(crate) fn of(server: &ServerProcess, token: &str) -> Self {
        // The timeout is needed because reqwest may never report a server killed at an unlucky time.
        let http = reqwest::Client::builder().no_proxy().timeout(NO_ANSWER).build().expect("an HTTP client");
        Self { http, public: server.public.clone(), admin: server.admin.clone(), token: token.to_owned() }
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<HttpResponse, Lost> {
        let mut response = request.send().await.map_err(|_| Lost)?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(HttpResponse { status, headers, body: body.freeze(), cut: false }),
                Err(_) => return Ok(HttpResponse { status, headers, body: body.freeze(), cut: true }),
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<HttpResponse, Lost> {
        self.send(self.http.get(format!("{}{path}", self.public)).bearer_auth(&self.token)).await
    }

    pub(crate) async fn head(&self, path: &str) -> Result<HttpResponse, Lost> {
        self.send(self.http.head(format!("{}{path}", self.public))).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<HttpResponse, Lost> {
        let request = self.http.post(format!("{}{path}", self.public)).bearer_auth(&self.token);
        self.send(request.body(body.into())).await
    }

    pub(crate) async fn admin_get(&self, path: &str) -> Result<HttpResponse, Lost> {
        self.send(self.http.get(format!("{}{path}", self.admin)).header("x-api-key", ADMIN_KEY)).await
    }

    pub(crate) async fn admin_post(&self, path: &str, body: impl Into<Bytes>) -> Result<HttpResponse, Lost> {
        let request = self.http.post(format!("{}{path}", self.admin)).header("x-api-key", ADMIN_KEY);
        self.send(request.body(body.into())).await
    }
}

impl HttpResponse {
    /// Returns the complete body; an incomplete response counts as lost.
    pub(crate) fn whole(&self) -> Result<&Bytes, Lost> {
        if self.cut { Err(Lost) } else { Ok(&self.body) }
    }

    /// Returns the received part of the body.
    pub(crate) fn so_far(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as JSON, or `null` if the body is not JSON.
    pub(crate) fn json(&self) -> Result<Value, Lost> {
        Ok(serde_json::from_slice(self.whole()?).unwrap_or_default())
    }

    /// Returns the grant of a counted download.
    pub(crate) fn grant(&self) -> Option<String> {
        Some(self.headers.get("x-sgsend-grant")?.to_str().ok()?.to_owned())
    }

    /// Returns the status, and the error code of a refused request.
    pub(crate) fn outcome(&self) -> Result<(u16, String), Lost> {
        let code = if self.status < 400 { String::new() } else { text(&self.json()?, "code") };
        Ok((self.status, code))
    }
}

/// Returns a string member, or an empty string.
pub(crate) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}
