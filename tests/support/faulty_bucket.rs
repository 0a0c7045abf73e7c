//! A fault-injecting proxy between a client and the S3 server.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// Treatment of a request by the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Forwards the request and the response.
    None,
    /// Responds with this status without forwarding the request.
    Refused(u16),
    /// Responds with this status and error code without forwarding the request.
    #[allow(dead_code, reason = "not used by every test binary")]
    Error(u16, &'static str),
    /// Forwards the request, drops the response, and responds with this status instead.
    #[allow(dead_code, reason = "not used by every test binary")]
    Lost(u16),
    /// Forwards the request, and ends the connection after this number of bytes of the response's body.
    #[allow(dead_code, reason = "not used by every test binary")]
    Cut(usize),
    /// Forwards the request after this time.
    #[allow(dead_code, reason = "not used by every test binary")]
    Late(Duration),
    /// Holds the request until the chooser returns another treatment.
    #[allow(dead_code, reason = "not used by every test binary")]
    Held,
}

/// Chooses the treatment of a request by its method and path.
type Chooser = dyn Fn(&Request) -> Fault + Send + Sync;

/// A running proxy, stopped on drop.
pub(crate) struct FaultyBucket {
    /// URL of the proxy.
    pub(crate) url: Url,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Forwarder {
    to: String,
    choose: Arc<Chooser>,
    client: reqwest::Client,
}

impl FaultyBucket {
    /// Starts a proxy in front of the server at `to`. The `host` header stays unchanged because signatures cover it.
    pub(crate) async fn before(to: &str, choose: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let forwarder = Forwarder { to: to.trim_end_matches('/').to_owned(), choose: Arc::new(choose), client };
        let router = Router::new().fallback(pass).with_state(forwarder);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, serving }
    }
}

impl Drop for FaultyBucket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(forwarder): State<Forwarder>, request: Request) -> Response {
    let mut fault = (forwarder.choose)(&request);
    while fault == Fault::Held {
        tokio::time::sleep(Duration::from_millis(10)).await;
        fault = (forwarder.choose)(&request);
    }
    if let Fault::Refused(status) = fault {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    if let Fault::Error(status, code) = fault {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no space</Message></Error>");
        return (StatusCode::from_u16(status).unwrap(), [("content-type", "application/xml")], body).into_response();
    }
    if let Fault::Late(delay) = fault {
        tokio::time::sleep(delay).await;
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("{}{}", forwarder.to, head.uri.path_and_query().unwrap());
    let original = forwarder.client.request(head.method, url).headers(head.headers).body(body).send().await.unwrap();
    if let Fault::Lost(status) = fault {
        return (StatusCode::from_u16(status).unwrap(), [("etag", "\"made up\"")]).into_response();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = original.status();
    *response.headers_mut() = original.headers().clone();
    *response.body_mut() = match fault {
        Fault::Cut(length) => {
            let whole = original.bytes().await.unwrap();
            let start = whole.slice(..length.min(whole.len()));
            // Later, so that the start is sent before the connection ends.
            let cut = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(std::io::Error::other("cut"))
            };
            Body::from_stream(stream::once(async { Ok(start) }).chain(stream::once(cut)))
        }
        _ => Body::new(reqwest::Body::from(original)),
    };
    response
}
