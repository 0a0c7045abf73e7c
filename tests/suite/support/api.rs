//! An HTTP API client that checks each error response against the route table.

use std::fmt;
use std::net::SocketAddr;

use reqwest::header::HeaderMap;
use serde_json::Value;
use sgsend::domain::audit::ServiceName;
use sgsend::domain::error::ErrorCode;
use sgsend::server::{ROUTES, status_of};

/// A client of one service.
#[derive(Clone)]
pub(crate) struct Api {
    service: ServiceName,
    address: SocketAddr,
    headers: Vec<(String, String)>,
    client: reqwest::Client,
}

/// A request under construction.
pub(crate) struct Request {
    service: ServiceName,
    path: String,
    method: reqwest::Method,
    builder: reqwest::RequestBuilder,
}

/// A response.
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
}

impl Api {
    pub(crate) fn new(service: ServiceName, address: SocketAddr, client: reqwest::Client) -> Self {
        Self { service, address, headers: Vec::new(), client }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Copies the headers of `other`, such as its token.
    pub(crate) fn like(mut self, other: &Self) -> Self {
        self.headers.clone_from(&other.headers);
        self
    }

    /// Returns the value of `Authorization`, for requests written by hand.
    pub(crate) fn authorization(&self) -> &str {
        let header = self.headers.iter().find(|(name, _)| name == "authorization");
        &header.expect("a sender").1
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        let method: reqwest::Method = method.parse().unwrap();
        let mut builder = self.client.request(method.clone(), format!("http://{}{path}", self.address));
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        Request { service: self.service, path: path.to_owned(), method, builder }
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// Creates a transfer of `size` bytes. `members` are additional JSON members, such as `"max_downloads":1`.
    pub(crate) async fn create(&self, size: usize, members: &str) -> String {
        let comma = if members.is_empty() { "" } else { "," };
        let body = format!(r#"{{"size_bytes":{size}{comma}{members}}}"#);
        let created = self.post("/transfers/create").json(&body).send().await;
        assert_eq!(created.status, 201, "{created:?}");
        created.text("transfer_id")
    }

    /// Creates, uploads and completes a transfer.
    pub(crate) async fn send_payload(&self, payload: &[u8], members: &str) -> String {
        let id = self.create(payload.len(), members).await;
        self.upload(&id, payload).await;
        id
    }

    /// Uploads the payload of a transfer, and completes the upload.
    pub(crate) async fn upload(&self, id: &str, payload: &[u8]) {
        let response = self.post(&format!("/transfers/id/{id}/payload/upload-bytes")).bytes(payload).send().await;
        assert_eq!(response.status, 200, "{response:?}");
        let completed = self.post(&format!("/transfers/id/{id}/upload/complete")).json("{}").send().await;
        assert_eq!(completed.status, 200, "{completed:?}");
    }

    /// Returns the status response of a transfer.
    pub(crate) async fn status(&self, id: &str) -> ApiResponse {
        let status = self.get(&format!("/transfers/id/{id}/status")).send().await;
        assert_eq!(status.status, 200, "{status:?}");
        status
    }
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.bytes(body.as_bytes())
    }

    pub(crate) fn bytes(mut self, body: &[u8]) -> Self {
        self.builder = self.builder.body(body.to_vec());
        self
    }

    /// Sets a body without `Content-Length`.
    pub(crate) fn chunked(mut self, body: &[u8]) -> Self {
        let frames = body.chunks(10_000).map(|chunk| Ok(http_body::Frame::data(bytes::Bytes::copy_from_slice(chunk))));
        let frames: Vec<Result<_, std::convert::Infallible>> = frames.collect();
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
        self.builder = self.builder.body(reqwest::Body::wrap(body));
        self
    }

    /// Sends the request and returns the response; fails if the route table doesn't list the error code.
    pub(crate) async fn send(self) -> ApiResponse {
        let response = self.builder.send().await.unwrap();
        let response = ApiResponse {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap(),
        };
        for name in ["x-request-id", "x-content-type-options", "referrer-policy", "cache-control"] {
            assert!(response.headers.contains_key(name), "{name} is missing: {response:?}");
        }
        // The page for damaged links is the only error response that is not JSON.
        let is_page = self.path.starts_with("/d/") && response.header("content-type").starts_with("text/html");
        if response.status >= 400 && response.status != 412 && self.method != "HEAD" && !is_page {
            response.check_problem(self.service, self.method.as_str(), &self.path);
        }
        response
    }

    /// Sends the request and expects this error code.
    pub(crate) async fn expect_error(self, code: &str) -> ApiResponse {
        self.send().await.check(code)
    }
}

impl ApiResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no text {member}: {self:?}")).to_owned()
    }

    pub(crate) fn number(&self, member: &str) -> u64 {
        self.json()[member].as_u64().unwrap_or_else(|| panic!("no number {member}: {self:?}"))
    }

    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap_or_else(|| panic!("no items: {self:?}")).clone()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this response is an error with this code, and returns the response.
    pub(crate) fn check(self, code: &str) -> Self {
        assert_eq!(self.code(), code, "{self:?}");
        self
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    fn check_problem(&self, service: ServiceName, method: &str, path: &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        let code = ErrorCode::from_text(&self.code()).unwrap_or_else(|| panic!("an unknown code: {self:?}"));
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert_eq!(self.status == 401, self.headers.contains_key("www-authenticate"), "{self:?}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {self:?}");
        }
        if matches!(code, ErrorCode::RouteNotFound | ErrorCode::MethodNotAllowed) {
            assert_eq!(status_of(code).as_u16(), self.status);
            return;
        }
        let path = path.split('?').next().unwrap();
        let routes = ROUTES.iter().filter(|route| route.service == service && route.method == method);
        let mut routes = routes.filter(|route| matches(route.template, path));
        let route = routes.next().unwrap_or_else(|| panic!("{method} {path} is not in the table of routes"));
        assert_eq!(route.status_of(code).as_u16(), self.status);
        let documented = route.error_codes().any(|known| known == code);
        assert!(documented, "{method} {} responded {}, which its route doesn't list", route.template, code.as_str());
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let part = |(wanted, found): (&&str, &&str)| wanted == found || wanted.starts_with('{');
    template.len() == path.len() && template.iter().zip(&path).all(part)
}

impl fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}
