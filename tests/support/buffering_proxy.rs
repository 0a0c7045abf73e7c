//! A proxy that buffers whole requests, as nginx does by default, and limits their bodies.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A running proxy, stopped on drop.
pub(crate) struct BufferingProxy {
    pub(crate) url: String,
    limits: Limits,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Limits {
    to: String,
    /// Maximum size of a request body in bytes.
    max_body: u64,
    /// Number of further upload requests whose connection ends in the middle of the body.
    losses: Arc<Mutex<u32>>,
    bodies: Arc<Mutex<Vec<(u64, u16)>>>,
    client: reqwest::Client,
}

impl BufferingProxy {
    /// Starts a proxy to the service at `target`, which cuts the first `losses` upload requests.
    pub(crate) fn to(target: &str, max_body: u64, losses: u32) -> Self {
        let runtime = Runtime::new().unwrap();
        let limits = Limits {
            to: target.to_owned(),
            max_body,
            losses: Arc::new(Mutex::new(losses)),
            bodies: Arc::default(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(limits.clone());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, limits, runtime: Some(runtime) }
    }

    /// Returns the size of each upload request so far, and the status of its response. The status is 0 for a cut
    /// connection.
    pub(crate) fn uploads(&self) -> Vec<(u64, u16)> {
        self.limits.bodies.lock().unwrap().clone()
    }
}

impl Drop for BufferingProxy {
    fn drop(&mut self) {
        self.runtime.take().expect("taken only here").shutdown_background();
    }
}

impl Limits {
    fn is_next_lost(&self) -> bool {
        let mut losses = self.losses.lock().unwrap();
        let is_lost = *losses > 0;
        *losses = losses.saturating_sub(1);
        is_lost
    }
}

async fn pass(State(limits): State<Limits>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let length = length_of(&head.headers);
    let is_upload = head.uri.path().ends_with("/upload-bytes");
    let note = |status: u16| {
        if is_upload {
            limits.bodies.lock().unwrap().push((length, status));
        }
    };
    if length > limits.max_body {
        note(413);
        let page = "<html><head><title>413 Request Entity Too Large</title></head></html>";
        return (StatusCode::PAYLOAD_TOO_LARGE, [("content-type", "text/html")], page).into_response();
    }
    let mut stream = body.into_data_stream();
    if is_upload && limits.is_next_lost() {
        // Reads half of the body, and ends the connection without a response.
        let mut read = 0;
        while read < length / 2 {
            read += stream.next().await.unwrap().unwrap().len() as u64;
        }
        note(0);
        let cut = futures_util::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("cut")) });
        return Response::new(Body::from_stream(cut));
    }
    let mut whole = Vec::new();
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else { return StatusCode::BAD_REQUEST.into_response() };
        whole.extend_from_slice(&piece);
    }
    let mut headers = head.headers;
    for hop in [HOST, CONNECTION, CONTENT_LENGTH] {
        headers.remove(hop);
    }
    let url = format!("{}{}", limits.to, head.uri.path_and_query().unwrap());
    let sent = limits.client.request(head.method, url).headers(headers).body(whole).send().await.unwrap();
    note(sent.status().as_u16());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = sent.status();
    *response.headers_mut() = sent.headers().clone();
    *response.body_mut() = Body::new(reqwest::Body::from(sent));
    response
}

fn length_of(headers: &HeaderMap) -> u64 {
    headers.get(CONTENT_LENGTH).map_or(0, |length| length.to_str().unwrap().parse().unwrap())
}
