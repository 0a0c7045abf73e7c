//! A fault-injecting proxy between a client and the S3 server.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// Treatment of a request by the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Forwards the request and the response.
    Passed,
    /// Responds with this status without forwarding the request.
    Refused(u16),
    /// Forwards the request, drops the response, and responds with this status instead.
    #[allow(dead_code, reason = "not used by every test binary")]
    Lost(u16),
}

/// Chooses the treatment of a request by its method and path.
type Judge = dyn Fn(&Request) -> Fate + Send + Sync;

/// A running proxy, stopped on drop.
pub(crate) struct Faulty {
    /// URL of the proxy.
    pub(crate) url: Url,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Way {
    to: String,
    judge: Arc<Judge>,
    client: reqwest::Client,
}

impl Faulty {
    /// Starts a proxy in front of the server at `to`. The `host` header stays unchanged because signatures cover it.
    pub(crate) async fn before(to: &str, judge: impl Fn(&Request) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let way = Way { to: to.trim_end_matches('/').to_owned(), judge: Arc::new(judge), client };
        let router = Router::new().fallback(pass).with_state(way);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, serving }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let fate = (way.judge)(&request);
    if let Fate::Refused(status) = fate {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("{}{}", way.to, head.uri.path_and_query().unwrap());
    let answer = way.client.request(head.method, url).headers(head.headers).body(body).send().await.unwrap();
    if let Fate::Lost(status) = fate {
        return (StatusCode::from_u16(status).unwrap(), [("etag", "\"made up\"")]).into_response();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = Body::new(reqwest::Body::from(answer));
    response
}
