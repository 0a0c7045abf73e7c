//! A server between a client and the S3 server, which goes wrong as it is told.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is passed on, and so is its answer.
    Passed,
    /// It is answered like this, and not passed on.
    Refused(u16),
    /// It is passed on, and its answer is lost: this comes instead.
    #[allow(dead_code, reason = "not every test binary loses answers")]
    Lost(u16),
}

/// Decides on a request by its method and path.
type Judge = dyn Fn(&Request) -> Fate + Send + Sync;

/// A faulty server, until it is dropped.
pub(crate) struct Faulty {
    /// Where it listens.
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
    /// A server in front of the one at `to`. The `host` header stays, since signatures cover it.
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
