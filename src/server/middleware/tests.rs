//! Tests of the order of the layers: as listed, and by its observable effects.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::{Notify, Semaphore};
use tower::ServiceExt;

use super::*;
use crate::domain::audit::{Record, RequestRecord, WriteMode};
use crate::domain::clock::SystemClock;
use crate::domain::error::ErrorCode;
use crate::domain::store::{StorageKey, list};
use crate::domain::wire::Problem;
use crate::server::net::in_flight::RequestSlots;
use crate::server::net::rate_limit::RateLimit;
use crate::server::{Server, Settings, StorageLocation};

const ORIGIN: &str = "https://app.example.org";
/// Largest response to a read, in bytes.
const MAX_RESPONSE_BYTES: u64 = 1024 * 1024;
/// An audited read.
const READ: &str = "/token/status";
/// An audited change.
const CHANGE: &str = "/transfers/create";
/// A list, and a path of it.
const LIST: &str = "/transfers/id/{transfer_id}/events/list";
const LIST_PATH: &str = "/transfers/id/0123456789abcdef0123456789abcdef/events/list";
/// A route without audit records.
const UNRECORDED: &str = "/health";

/// A small router inside the layers, with routes of the public service's table.
struct Tiny {
    app: AppState,
    router: Router,
}

impl Tiny {
    async fn start(handlers: Router, rate: Option<&str>) -> Self {
        let settings = Settings { audit: WriteMode::Immediate, ..Settings::new(StorageLocation::Memory) };
        let server = Server::open(settings, Arc::new(SystemClock)).await.unwrap();
        let app = AppState(server.app.clone());
        let router = handlers.layer(Stack::new(context(&app, rate)));
        Self { app, router }
    }

    async fn send(&self, method: Method, path: &str) -> Response {
        self.router.clone().oneshot(request(method, path)).await.unwrap()
    }

    async fn request_records(&self) -> Vec<RequestRecord> {
        let prefix = StorageKey::all_service_records();
        let records: Vec<Record> = list(&*self.app.store, &prefix, None, 1_000).await.unwrap().items;
        let requests = records.into_iter().filter_map(|record| match record {
            Record::Request(request) => Some(request),
            Record::Action(_) | Record::Event(_) => None,
        });
        requests.collect()
    }

    /// Returns whether the metrics count a request with `method`, `route` and `status`.
    fn counted(&self, method: &str, route: &str, status: u16) -> bool {
        let labels = format!("{{service=\"public\",method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        self.app.metrics.to_text().contains(&format!("sgsend_requests_total{labels} 1\n"))
    }
}

fn context(app: &AppState, rate: Option<&str>) -> MiddlewareContext {
    MiddlewareContext {
        app: app.clone(),
        service: ServiceName::Public,
        timeouts: Timeouts::default(),
        limiter: rate.map(|rate| Arc::new(RateLimiter::new(rate.parse::<RateLimit>().unwrap()))),
        max_response_bytes: Some(MAX_RESPONSE_BYTES),
        cors: Cors::new(vec![ORIGIN.parse().unwrap()]),
        tls_at_proxy: true,
        log_ids: false,
    }
}

fn request(method: Method, path: &str) -> Request {
    let request = Request::builder().method(method).uri(path).header("origin", ORIGIN);
    request.header("access-control-request-method", "POST").body(Body::empty()).unwrap()
}

/// Checks the headers that the outer layers add to every response.
fn has_outer_headers(headers: &HeaderMap) {
    for name in ["x-request-id", "x-frame-options", "strict-transport-security", "access-control-allow-origin"] {
        assert!(headers.contains_key(name), "no {name} in {headers:?}");
    }
}

async fn problem(response: Response) -> Problem {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn the_layers_have_this_order() {
    let expected = [
        "run_to_end::run_to_end",
        "cors::add_cors_headers",
        "security_headers::add_security_headers",
        "request_scope::open_scope",
        "access_log::log_request",
        "request_id::add_request_ids",
        "audit::write_records",
        "metrics::count_request",
        "error_rendering::render_error",
        "response_budget::reserve_budget",
        "request_body::guard_body",
        "rate_limit::limit_rate",
        "cors::respond_to_preflight",
        "payload_limit::limit_payloads",
        "list_limit::limit_lists",
        "catch_panic::catch_panic",
    ];
    assert_eq!(LAYERS, expected);
}

#[tokio::test]
async fn a_panic_is_rendered_counted_and_recorded() {
    async fn fail() -> StatusCode {
        panic!("a test panics")
    }
    let tiny = Tiny::start(Router::new().route(CHANGE, post(fail)), None).await;
    let response = tiny.send(Method::POST, CHANGE).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    has_outer_headers(response.headers());
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(problem(response).await.request_id, id);
    assert!(tiny.counted("POST", CHANGE, 500));
    let records = tiny.request_records().await;
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].status, records[0].code), (500, Some(ErrorCode::Internal)));
}

#[tokio::test]
async fn a_rate_limited_request_is_rendered_counted_and_recorded() {
    let tiny = Tiny::start(Router::new().route(READ, get(async || "read")), Some("1/s:1")).await;
    assert_eq!(tiny.send(Method::GET, READ).await.status(), StatusCode::OK);
    let response = tiny.send(Method::GET, READ).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    has_outer_headers(response.headers());
    assert!(response.headers().contains_key("retry-after"));
    let problem = problem(response).await;
    assert_eq!(problem.code, "rate_limited");
    assert!(tiny.counted("GET", READ, 429));
    let records = tiny.request_records().await;
    let limited = records.iter().find(|record| record.status == 429).unwrap();
    assert_eq!((limited.code, limited.request_id.to_string()), (Some(ErrorCode::RateLimited), problem.request_id));
    assert!(limited.bytes_out > 0, "the record has the size of the unrendered error");
}

#[tokio::test]
async fn lists_have_a_limit_in_all_and_a_share_per_network() {
    let (started, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let waits = {
        let (started, release) = (started.clone(), release.clone());
        move || async move {
            started.add_permits(1);
            release.acquire().await.unwrap().forget();
            "listed"
        }
    };
    let handlers = || Router::new().route(LIST, get(waits.clone())).route(READ, get(async || "read"));
    for (rate, most, status) in
        [(Some("1000/s"), 8, StatusCode::TOO_MANY_REQUESTS), (None, 32, StatusCode::SERVICE_UNAVAILABLE)]
    {
        let tiny = Tiny::start(handlers(), rate).await;
        let running: Vec<_> = (0..most)
            .map(|_| {
                let router = tiny.router.clone();
                tokio::spawn(async move { router.oneshot(request(Method::GET, LIST_PATH)).await.unwrap().status() })
            })
            .collect();
        started.acquire_many(most).await.unwrap().forget();
        let rejected = tiny.send(Method::GET, LIST_PATH).await;
        assert_eq!(rejected.status(), status);
        assert!(rejected.headers().contains_key("retry-after"));
        assert_eq!(tiny.send(Method::GET, READ).await.status(), StatusCode::OK, "other requests are not limited");
        release.add_permits(most as usize + 1);
        for listed in running {
            assert_eq!(listed.await.unwrap(), StatusCode::OK);
        }
        assert_eq!(tiny.send(Method::GET, LIST_PATH).await.status(), StatusCode::OK, "the permits are returned");
        started.acquire().await.unwrap().forget();
    }
}

#[tokio::test]
async fn preflights_are_counted_and_rate_limited_but_not_recorded() {
    let tiny = Tiny::start(Router::new().route(CHANGE, post(async || "changed")), Some("1/s:1")).await;
    for status in [StatusCode::NO_CONTENT, StatusCode::TOO_MANY_REQUESTS] {
        let response = tiny.send(Method::OPTIONS, CHANGE).await;
        assert_eq!(response.status(), status);
        has_outer_headers(response.headers());
        assert!(tiny.counted("OPTIONS", "none", status.as_u16()));
    }
    assert!(tiny.request_records().await.is_empty());
}

#[tokio::test]
async fn a_read_beyond_the_response_budget_is_recorded_as_rejected() {
    let large = async || vec![b'x'; 4 * 1024];
    let handlers = Router::new().route(READ, get(large)).route(CHANGE, post(large)).route(UNRECORDED, get(large));
    let tiny = Tiny::start(handlers, None).await;
    let mut unread = Vec::new();
    while let Ok(response) = tiny.app.response_budget.reserve(Response::new(Body::from(vec![b'x'; 4 * 1024]))) {
        unread.push(response);
    }
    let response = tiny.send(Method::GET, READ).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    has_outer_headers(response.headers());
    assert!(tiny.counted("GET", READ, 429));
    assert_eq!(
        tiny.send(Method::POST, CHANGE).await.status(),
        StatusCode::OK,
        "a change was rejected after it was made"
    );
    assert_eq!(tiny.send(Method::GET, UNRECORDED).await.status(), StatusCode::OK);
    let mut statuses: Vec<_> = tiny.request_records().await.iter().map(|record| record.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429]);
    drop(unread);
    assert_eq!(tiny.send(Method::GET, READ).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_read_beyond_the_limit_of_the_platform_is_recorded_as_rejected() {
    let page = |bytes: u64| async move || vec![b'x'; usize::try_from(bytes).unwrap()];
    let handlers = Router::new()
        .route(READ, get(page(MAX_RESPONSE_BYTES)))
        .route(LIST, get(page(MAX_RESPONSE_BYTES + 1)))
        .route(CHANGE, post(page(MAX_RESPONSE_BYTES + 1)));
    let tiny = Tiny::start(handlers, None).await;
    assert_eq!(tiny.send(Method::GET, READ).await.status(), StatusCode::OK);
    assert_eq!(tiny.send(Method::POST, CHANGE).await.status(), StatusCode::OK, "a change has been made by then");
    let response = tiny.send(Method::GET, LIST_PATH).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let problem = problem(response).await;
    assert_eq!(problem.code, "invalid_request");
    assert!(problem.detail.contains("limit"), "{}", problem.detail);
    assert!(tiny.counted("GET", LIST, 400));
}

#[tokio::test]
async fn routes_outside_the_table_are_recorded_as_none() {
    let tiny = Tiny::start(Router::new().route(UNRECORDED, get(async || "healthy")), None).await;
    assert_eq!(tiny.send(Method::GET, UNRECORDED).await.status(), StatusCode::OK);
    assert!(tiny.counted("GET", UNRECORDED, 200));
    assert!(tiny.request_records().await.is_empty());
    assert_eq!(tiny.send(Method::DELETE, UNRECORDED).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(tiny.counted("DELETE", "none", 405));
    let records = tiny.request_records().await;
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].route.as_str(), records[0].status), (UNRECORDED, 405));
}

#[tokio::test]
async fn a_request_keeps_its_slot_and_runs_to_its_end_without_a_client() {
    let (entered, proceed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, proceed) = (entered.clone(), proceed.clone());
        async move || {
            entered.notify_one();
            proceed.notified().await;
            "changed"
        }
    };
    let tiny = Tiny::start(Router::new().route(CHANGE, post(handler)), None).await;
    let connection = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    let slots = RequestSlots::new(1, connection);
    let mut request = request(Method::POST, CHANGE);
    request.extensions_mut().insert(slots.clone());
    let client = tokio::spawn(tiny.router.clone().oneshot(request));
    entered.notified().await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    let waiting = tokio::time::timeout(Duration::from_millis(20), slots.acquire()).await;
    assert!(waiting.is_err(), "the slot was free while the request ran");
    proceed.notify_one();
    // The slot becomes free after the record is written.
    let _slot = slots.acquire().await;
    let records = tiny.request_records().await;
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].status, records[0].bytes_out), (200, 7));
}
