//! A minimal S3 server that enforces nothing: it ignores conditions, signatures and lengths.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tokio::net::TcpListener;

use super::{assert_checks, check};
use crate::support::{FinishedCommand, Home};

/// Server state: objects by path, and the only multipart upload.
#[derive(Default)]
struct BucketState {
    objects: BTreeMap<String, Bytes>,
    upload: Option<(String, Bytes)>,
}

type BucketResponse = (StatusCode, HeaderMap, Bytes);

async fn start() -> SocketAddr {
    listen(Router::new().fallback(handle).with_state(Arc::default())).await
}

async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn handle(
    State(bucket): State<Arc<Mutex<BucketState>>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> BucketResponse {
    let mut bucket = bucket.lock().unwrap();
    let query = uri.query().unwrap_or_default();
    let has_query = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let path = uri.path().to_owned();
    // The path has the form `/bucket/key`.
    let key = path.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
    match method.as_str() {
        "GET" if has_query("list-type") => {
            let keys = bucket.objects.keys().filter_map(|path| path.splitn(3, '/').nth(2));
            xml(&format!("<ListBucketResult>{}</ListBucketResult>", keys.map(contents).collect::<String>()))
        }
        "GET" if has_query("uploads") => {
            let upload =
                |(key, _): &(String, Bytes)| format!("<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>");
            let upload = bucket.upload.as_ref().map(upload).unwrap_or_default();
            xml(&format!("<ListMultipartUploadsResult>{upload}</ListMultipartUploadsResult>"))
        }
        "GET" if has_query("uploadId") => {
            let size = bucket.upload.as_ref().map_or(0, |(_, part)| part.len());
            let part = format!("<Part><PartNumber>1</PartNumber><ETag>e</ETag><Size>{size}</Size></Part>");
            xml(&format!("<ListPartsResult>{part}</ListPartsResult>"))
        }
        "GET" | "HEAD" if key.is_empty() => (StatusCode::NOT_IMPLEMENTED, HeaderMap::new(), Bytes::new()),
        "GET" | "HEAD" => match bucket.objects.get(&path) {
            Some(object) => (StatusCode::OK, etag(), object.clone()),
            None => (StatusCode::NOT_FOUND, HeaderMap::new(), Bytes::new()),
        },
        "PUT" if has_query("partNumber") => {
            bucket.upload = Some((key, body));
            (StatusCode::OK, etag(), Bytes::new())
        }
        "PUT" => {
            bucket.objects.insert(path, body);
            (StatusCode::OK, etag(), Bytes::new())
        }
        "POST" if has_query("uploads") => {
            xml("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        }
        "POST" if has_query("uploadId") => {
            let (_, part) = bucket.upload.take().unwrap();
            bucket.objects.insert(path, part);
            xml("<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
        }
        "POST" => xml("<DeleteResult></DeleteResult>"),
        "DELETE" if has_query("uploadId") => {
            bucket.upload = None;
            (StatusCode::NO_CONTENT, HeaderMap::new(), Bytes::new())
        }
        _ => {
            bucket.objects.remove(&path);
            (StatusCode::NO_CONTENT, HeaderMap::new(), Bytes::new())
        }
    }
}

fn contents(key: &str) -> String {
    format!("<Contents><Key>{key}</Key></Contents>")
}

fn xml(text: &str) -> BucketResponse {
    (StatusCode::OK, HeaderMap::new(), Bytes::copy_from_slice(text.as_bytes()))
}

fn etag() -> HeaderMap {
    HeaderMap::from_iter([(axum::http::header::ETAG, HeaderValue::from_static("\"e\""))])
}

fn doctor(address: SocketAddr, extra_arguments: &[&str]) -> FinishedCommand {
    let home = Home::new();
    let storage = format!("s3://bucket/prefix?endpoint=http://{address}&path_style=1");
    let mut command = home.sgsend(&[&["doctor", "--storage", &storage], extra_arguments].concat());
    let credentials = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "hidden"), ("AWS_REGION", "us-east-1")];
    FinishedCommand::of(command.envs(credentials).output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_enforces_nothing_is_a_problem() {
    let address = start().await;
    let finished = doctor(address, &["--json"]);
    let ignored = [
        "multipart_if_none_match",
        "put_if_none_match",
        "put_if_match",
        "presigned_put_tampered",
        "presigned_put_length",
        "presigned_put_again",
        "anonymous_get",
        "delete",
    ];
    assert_checks(&finished, "problem", &ignored);
    let unreadable = [
        "cors",
        "public_access_block",
        "bucket_policy",
        "bucket_acl",
        "versioning",
        "object_lock",
        "access_log",
        "lifecycle",
        "encryption",
    ];
    assert_checks(&finished, "cannot_tell", &unreadable);
    assert_checks(&finished, "warning", &[]);
    let text = doctor(address, &[]);
    let stdout = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(stdout.contains("\nproblem      put_if_match "), "{stdout}");
    assert!(!stdout.contains("hidden") && !text.stderr.contains("hidden"), "the output contains the secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_in_another_region_is_reported_with_its_region() {
    let redirect = (StatusCode::MOVED_PERMANENTLY, [("x-amz-bucket-region", "eu-north-1")]);
    let finished = doctor(listen(Router::new().fallback(async move || redirect)).await, &["--json"]);
    assert_checks(&finished, "problem", &["bucket"]);
    assert!(check(&finished.json(), "bucket")["hint"].as_str().unwrap().contains("region=eu-north-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_reported() {
    let skewed_clock = (StatusCode::FORBIDDEN, [("date", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let finished = doctor(listen(Router::new().fallback(async move || skewed_clock)).await, &["--json"]);
    assert_checks(&finished, "problem", &["clock", "bucket"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_endpoint_is_a_problem() {
    let unreachable = SocketAddr::from(([127, 0, 0, 1], 9));
    let finished = doctor(unreachable, &["--json"]);
    assert_checks(&finished, "problem", &["bucket"]);
    assert_checks(&finished, "cannot_tell", &["clock"]);
}
