//! Limits of the browser itself: pages that only encrypt, only send, only receive or only save.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, put};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::support::Browser;

/// Size of the chunks that are sent, in bytes.
const CHUNK: usize = 256 * 1024;
/// Functions of `bounds.js`, with what each does.
const BOUNDS: [(&str, &str); 6] = [
    ("encrypt", "only encrypts"),
    ("decrypt", "only decrypts"),
    ("send", "only sends"),
    ("receive", "only receives"),
    ("save", "only saves"),
    ("receiveAndSave", "only receives and saves"),
];

/// Measures each bound with `mebibytes`. Returns what each page does, with its rate in MiB/s.
pub(super) async fn measure(browser: &Browser, mebibytes: u32) -> Vec<(&'static str, f64)> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async { axum::serve(listener, router()).await });
    let mut rates = Vec::new();
    for (name, what) in BOUNDS {
        browser.goto(&page).await;
        let millis = browser.script(&format!("return bounds.{name}(args)"), json!(mebibytes)).await.as_f64().unwrap();
        rates.push((what, f64::from(mebibytes) * 1e3 / millis));
    }
    server.abort();
    rates
}

fn router() -> Router {
    let script = |text: &'static str| get(async move || ([(CONTENT_TYPE, "text/javascript")], text));
    Router::new()
        .route("/", get(async || Html(include_str!("bounds.html"))))
        .route("/bounds.js", script(include_str!("bounds.js")))
        .route("/worker.js", script(include_str!("../../../src/server/web/save/worker.js")))
        .route("/bytes/{mebibytes}", get(async |Path(mebibytes): Path<usize>| bytes(mebibytes).into_response()))
        .route("/bytes", put(drop_body))
}

fn bytes(mebibytes: usize) -> Body {
    let chunk = Bytes::from(vec![7; CHUNK]);
    let chunks = std::iter::repeat_n(chunk, mebibytes * (1024 * 1024 / CHUNK));
    Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)))
}

async fn drop_body(request: Request) {
    let mut body = request.into_body().into_data_stream();
    while body.next().await.is_some() {}
}
