//! A small S3 server in memory, which can hold its responses and counts its connections.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Metadata that the store keeps with an object.
const METADATA: HeaderName = HeaderName::from_static("x-amz-meta-sgsend-content");

/// The bucket; its server stops on drop.
pub(crate) struct HeldBucket {
    endpoint: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    objects: Mutex<Objects>,
    /// Whether requests wait for their responses.
    is_held: watch::Sender<bool>,
    /// Connections that are open now, and the most that were open at once.
    connections: watch::Sender<(usize, usize)>,
    /// Requests that wait for their responses.
    waiting: watch::Sender<usize>,
}

#[derive(Default)]
struct Objects {
    by_key: BTreeMap<String, Object>,
    writes: u64,
}

struct Object {
    body: Bytes,
    etag: String,
    metadata: HeaderMap,
}

impl HeldBucket {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            objects: Mutex::default(),
            is_held: watch::Sender::new(false),
            connections: watch::Sender::default(),
            waiting: watch::Sender::default(),
        });
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Self { endpoint, shared, serving }
    }

    /// Returns the URL of a store in the bucket.
    pub(crate) fn storage(&self) -> String {
        format!("s3://bucket/store?endpoint={}&path_style=1&region=us-east-1", self.endpoint)
    }

    /// Writes an object, as another client of the bucket would.
    pub(crate) async fn put(&self, key: &str, body: &'static str) {
        let put = reqwest::Client::builder().no_proxy().build().unwrap().put(format!("{}/bucket/{key}", self.endpoint));
        assert_eq!(put.body(body).send().await.unwrap().status(), 200);
    }

    /// Returns the keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.shared.objects().by_key.keys().cloned().collect()
    }

    /// Lets requests wait for their responses from now on, or responds to all of them.
    pub(crate) fn hold(&self, is_held: bool) {
        self.shared.is_held.send_replace(is_held);
    }

    /// Waits until this number of requests waits for responses.
    pub(crate) async fn wait_for_waiting(&self, number: usize) {
        let mut waiting = self.shared.waiting.subscribe();
        waiting.wait_for(|now| *now >= number).await.unwrap();
    }

    /// Returns the highest number of connections that were open at once.
    pub(crate) fn most_connections(&self) -> usize {
        self.shared.connections.borrow().1
    }
}

impl Drop for HeldBucket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = shared.clone();
        shared.connections.send_modify(|(open, most)| {
            *open += 1;
            *most = (*most).max(*open);
        });
        tokio::spawn(async move {
            let of_connection = shared.clone();
            let respond = service_fn(move |request| respond(of_connection.clone(), request));
            // A connection that the client aborts is an error here.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await);
            shared.connections.send_modify(|(open, _)| *open -= 1);
        });
    }
}

async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if *shared.is_held.borrow() {
        shared.waiting.send_modify(|waiting| *waiting += 1);
        let _ = shared.is_held.subscribe().wait_for(|is_held| !is_held).await;
        shared.waiting.send_modify(|waiting| *waiting -= 1);
    }
    let key = head.uri.path().trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    let mut objects = shared.objects();
    Ok(match head.method {
        Method::GET if key.is_empty() => objects.list(head.uri.query().unwrap_or_default()),
        Method::GET | Method::HEAD => objects.get(&key),
        Method::PUT => objects.put(key, body, &head.headers),
        Method::DELETE => objects.remove([key.as_str()]),
        _ => {
            let body = String::from_utf8(body.to_vec()).unwrap();
            let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
            objects.remove(keys.map(|(key, _)| key))
        }
    })
}

impl Shared {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap()
    }
}

impl Objects {
    fn get(&self, key: &str) -> Response<Full<Bytes>> {
        let Some(object) = self.by_key.get(key) else { return error(StatusCode::NOT_FOUND, "NoSuchKey") };
        let mut response = Response::new(Full::new(object.body.clone()));
        response.headers_mut().extend(object.metadata.clone());
        response.headers_mut().insert(ETAG, object.etag.parse().unwrap());
        response.headers_mut().insert(CONTENT_LENGTH, object.body.len().into());
        response
    }

    fn put(&mut self, key: String, body: Bytes, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let found = self.by_key.get(&key);
        let is_allowed = match (headers.get(IF_NONE_MATCH), headers.get(IF_MATCH)) {
            (Some(_), _) => found.is_none(),
            (None, Some(etag)) => found.is_some_and(|found| etag == found.etag.as_str()),
            (None, None) => true,
        };
        if !is_allowed {
            return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        self.writes += 1;
        let etag = format!("\"{:032x}\"", self.writes);
        let metadata = headers.get(METADATA).map(|value| (METADATA, value.clone())).into_iter().collect();
        self.by_key.insert(key, Object { body, etag: etag.clone(), metadata });
        Response::builder().header(ETAG, etag).body(Full::default()).unwrap()
    }

    fn remove<'a>(&mut self, keys: impl IntoIterator<Item = &'a str>) -> Response<Full<Bytes>> {
        for key in keys {
            self.by_key.remove(key);
        }
        Response::new(Full::from("<DeleteResult></DeleteResult>"))
    }

    fn list(&self, query: &str) -> Response<Full<Bytes>> {
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        let (prefix, after) = (text("prefix"), text("start-after"));
        let found = self.by_key.keys().filter(|key| key.starts_with(&prefix) && **key > after);
        let mut list = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
        for key in found.take(text("max-keys").parse().unwrap_or(1_000)) {
            write!(list, "<Contents><Key>{key}</Key></Contents>").unwrap();
        }
        Response::new(Full::from(list + "</ListBucketResult>"))
    }
}

fn error(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let body = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
    Response::builder().status(status).body(Full::from(body)).unwrap()
}
