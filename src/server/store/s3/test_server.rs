//! Small S3 server for tests in this process, which keeps objects in memory and a log of requests.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use url::Url;

use super::S3Store;
use super::bucket::Bucket;
use crate::server::store::S3Location;

/// Header with the length of an object's content, as the store sets it.
const CONTENT_LENGTH: &str = "x-amz-meta-sgsend-content";

/// Server with one bucket. Knows the requests for small objects, and no multipart uploads.
#[derive(Default)]
pub(crate) struct S3TestServer {
    objects: Mutex<BTreeMap<String, StoredBody>>,
    /// Maximum number of keys per page, as some servers have.
    page: Option<usize>,
    requests: Mutex<Vec<S3Request>>,
    /// Writes to keys that contain this text are neither applied nor answered.
    held: Mutex<Option<&'static str>>,
    has_held: Notify,
    next_etag: AtomicUsize,
    reads_at_once: AtomicUsize,
    pub(super) most_reads_at_once: AtomicUsize,
}

#[derive(Clone, Default)]
struct StoredBody {
    body: Bytes,
    etag: String,
    content_length: Option<String>,
}

/// Request as the server has received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct S3Request {
    pub(crate) kind: S3RequestKind,
    /// Key of the object, or prefix of the list, behind the prefix of the store.
    pub(crate) key: String,
}

/// Kind of a request, as providers bill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum S3RequestKind {
    /// `GetObject` or `HeadObject`.
    Read,
    /// `PutObject`.
    Write,
    /// `ListObjectsV2` or `ListMultipartUploads`.
    List,
    /// `DeleteObject` or `DeleteObjects`.
    Delete,
}

/// Head of a request and its body.
struct ReceivedRequest {
    method: String,
    path: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
    body: Bytes,
}

/// Response to a request.
#[derive(Default)]
struct TestAnswer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl fmt::Display for S3Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.key)
    }
}

impl S3TestServer {
    /// Adds objects before the start.
    pub(super) fn with_objects(objects: impl IntoIterator<Item = (String, String)>) -> Self {
        let body = |text: String| StoredBody { body: text.into(), etag: "\"0\"".to_owned(), content_length: None };
        let objects = objects.into_iter().map(|(key, text)| (format!("store/{key}"), body(text))).collect();
        Self { objects: Mutex::new(objects), ..Self::default() }
    }

    /// Returns at most `page` keys per page, as some servers do.
    pub(super) fn with_page(self, page: usize) -> Self {
        Self { page: Some(page), ..self }
    }

    /// Starts the server on a free port, and returns it with the address of its endpoint.
    pub(crate) async fn start(self) -> (Arc<Self>, String, JoinHandle<()>) {
        let this = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = this.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(server.clone().serve(BufReader::new(connection)));
            }
        });
        (this, endpoint, serving)
    }

    /// Returns the requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<S3Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    /// Keeps writes to keys that contain `text` waiting for ever, as if their server was killed. `None` ends this for new
    /// requests.
    pub(crate) fn hold(&self, text: Option<&'static str>) {
        *self.held.lock().unwrap() = text;
    }

    /// Waits until a write is held.
    pub(crate) async fn until_held(&self) {
        self.has_held.notified().await;
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, StoredBody>> {
        self.objects.lock().unwrap()
    }

    /// Responds to the requests of one connection.
    async fn serve(self: Arc<Self>, mut connection: BufReader<TcpStream>) -> io::Result<()> {
        while let Some(request) = receive(&mut connection).await? {
            let answer = self.respond(&request).await;
            let mut head = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
            for (name, value) in &answer.headers {
                write!(head, "{name}: {value}\r\n").expect("a string can be written");
            }
            head.push_str("\r\n");
            // In one write: a second one would wait for the acknowledgement of the first.
            let body = if request.method == "HEAD" { Bytes::new() } else { answer.body };
            connection.write_all(&[head.as_bytes(), &body[..]].concat()).await?;
        }
        Ok(())
    }

    async fn respond(&self, request: &ReceivedRequest) -> TestAnswer {
        let key = request.path.trim_start_matches("/bucket").trim_start_matches('/');
        let is_list = request.query.contains_key("list-type") || request.query.contains_key("uploads");
        let (kind, name) = match request.method.as_str() {
            "GET" if is_list => (S3RequestKind::List, request.query.get("prefix").map_or("", String::as_str)),
            "GET" | "HEAD" => (S3RequestKind::Read, key),
            "PUT" => (S3RequestKind::Write, key),
            "DELETE" | "POST" => (S3RequestKind::Delete, key),
            other => panic!("the test server knows no {other} requests"),
        };
        let name = name.trim_start_matches("store/").to_owned();
        // On a busy machine the client may lose patience, and repeat a request.
        let is_repeated =
            request.headers.get("amz-sdk-request").is_some_and(|attempt| !attempt.starts_with("attempt=1"));
        if !is_repeated {
            self.requests.lock().unwrap().push(S3Request { kind, key: name });
        }
        match kind {
            S3RequestKind::List if request.query.contains_key("uploads") => {
                TestAnswer::xml("<ListMultipartUploadsResult></ListMultipartUploadsResult>".to_owned())
            }
            S3RequestKind::List => TestAnswer::xml(self.list(&request.query)),
            S3RequestKind::Read => self.read(key, request.headers.get("range")).await,
            S3RequestKind::Write => {
                let is_held = self.held.lock().unwrap().is_some_and(|held| key.contains(held));
                if is_held {
                    self.has_held.notify_one();
                    std::future::pending::<()>().await;
                }
                self.write(key, request)
            }
            S3RequestKind::Delete => self.delete(key, request),
        }
    }

    async fn read(&self, key: &str, range: Option<&String>) -> TestAnswer {
        let at_once = 1 + self.reads_at_once.fetch_add(1, Ordering::SeqCst);
        self.most_reads_at_once.fetch_max(at_once, Ordering::SeqCst);
        // Lets other reads arrive.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.reads_at_once.fetch_sub(1, Ordering::SeqCst);
        let Some(StoredBody { body, etag, content_length }) = self.objects().get(key).cloned() else {
            return TestAnswer::error("404 Not Found", "NoSuchKey");
        };
        let mut headers = vec![("etag", etag)];
        headers.extend(content_length.map(|length| (CONTENT_LENGTH, length)));
        let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((start, end)) = range.and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?))) else {
            return TestAnswer { status: "200 OK", headers, body };
        };
        let (start, end): (usize, usize) = (start, end);
        let end = body.len().min(end + 1);
        if start >= end {
            return TestAnswer::error("416 Range Not Satisfiable", "InvalidRange");
        }
        headers.push(("content-range", format!("bytes {start}-{}/{}", end - 1, body.len())));
        TestAnswer { status: "206 Partial Content", headers, body: body.slice(start..end) }
    }

    fn write(&self, key: &str, request: &ReceivedRequest) -> TestAnswer {
        let mut objects = self.objects();
        let current = objects.get(key);
        if request.headers.contains_key("if-none-match") && current.is_some() {
            return TestAnswer::error("412 Precondition Failed", "PreconditionFailed");
        }
        match (request.headers.get("if-match"), current) {
            (Some(_), None) => return TestAnswer::error("404 Not Found", "NoSuchKey"),
            (Some(etag), Some(current)) if *etag != current.etag => {
                return TestAnswer::error("412 Precondition Failed", "PreconditionFailed");
            }
            _ => {}
        }
        let etag = format!("\"{:032x}\"", 1 + self.next_etag.fetch_add(1, Ordering::SeqCst));
        let content_length = request.headers.get(CONTENT_LENGTH).cloned();
        objects.insert(key.to_owned(), StoredBody { body: request.body.clone(), etag: etag.clone(), content_length });
        TestAnswer { status: "200 OK", headers: vec![("etag", etag)], body: Bytes::new() }
    }

    fn delete(&self, key: &str, request: &ReceivedRequest) -> TestAnswer {
        let mut objects = self.objects();
        if request.method == "DELETE" {
            objects.remove(key);
            return TestAnswer { status: "204 No Content", ..TestAnswer::default() };
        }
        let body = String::from_utf8_lossy(&request.body);
        for key in body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
            objects.remove(key);
        }
        TestAnswer::xml("<DeleteResult></DeleteResult>".to_owned())
    }

    fn list(&self, query: &HashMap<String, String>) -> String {
        let after = query.get("continuation-token").or_else(|| query.get("start-after")).map_or("", String::as_str);
        let page = self.page.unwrap_or(1_000).min(query["max-keys"].parse().unwrap());
        let objects = self.objects();
        let keys = objects.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
        let mut keys: Vec<_> = keys.map(|(key, _)| key).filter(|key| key.starts_with(&query["prefix"])).collect();
        let has_more = keys.len() > page;
        keys.truncate(page);
        let contents: Vec<_> = keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        let contents = contents.concat();
        let last = keys.last().map_or(after, |key| key.as_str());
        let token =
            if has_more { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
        format!("<ListBucketResult><IsTruncated>{has_more}</IsTruncated>{contents}{token}</ListBucketResult>")
    }
}

impl TestAnswer {
    fn xml(body: String) -> Self {
        Self { status: "200 OK", headers: vec![("etag", "\"list\"".to_owned())], body: body.into() }
    }

    fn error(status: &'static str, code: &str) -> Self {
        Self { status, headers: Vec::new(), body: format!("<Error><Code>{code}</Code></Error>").into() }
    }
}

/// Receives one request; `None` if the client has closed the connection.
async fn receive(connection: &mut BufReader<TcpStream>) -> io::Result<Option<ReceivedRequest>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap());
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: HashMap<_, _> = lines.filter_map(header).collect();
    let url = Url::parse("http://server").unwrap().join(target).unwrap();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    let query = url.query_pairs().into_owned().collect();
    let path = url::form_urlencoded::parse(url.path().as_bytes()).map(|(path, _)| path.into_owned()).next();
    Ok(Some(ReceivedRequest { method, path: path.unwrap_or_default(), query, headers, body: body.into() }))
}

impl S3Store {
    /// Creates a store over a test server. Reads write records of other servers' commits after `outbox_delay`.
    pub(crate) fn of_test(endpoint: &str, location: &str, outbox_delay: Duration) -> Self {
        let config = Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::from_static("test"));
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let config = config.endpoint_url(endpoint).force_path_style(true).credentials_provider(credentials).build();
        let location: S3Location = location.parse().unwrap();
        Self::over(Bucket::of_test(Client::from_conf(config)), &location, outbox_delay)
    }
}
