//! Audit middleware around every handler: rate limit, CORS, audit records, response headers, metrics.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{EXPECT, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::Body as _;

use super::cors::Cors;
use super::security_headers::harden;
use crate::domain::audit::{ActionName, RequestInfo, RequestScope, ServiceName};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::server::Encrypted;
use crate::server::api::error::ApiError;
use crate::server::api::routes::Route;
use crate::server::api::success_status;
use crate::server::metrics::RequestLabels;
use crate::server::net::in_flight::RequestSlots;
use crate::server::net::rate_limit::RateLimiter;
use crate::server::net::request_body::GuardedBody;
use crate::server::net::response_body::CountedBody;
use crate::server::settings::Timeouts;
use crate::server::state::AppState;

/// The request id: assigned by the server in responses, chosen by the client in requests.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Response header that echoes the client's own request id.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
/// Maximum length of a client's request id, in bytes.
const MAX_CLIENT_ID_BYTES: usize = 64;

/// Peer address of the connection, added to the extensions of each request by the listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Marks responses that stream a payload; their request record is written when the body ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamedPayload;

/// State of the audit middleware of one service.
#[derive(Clone)]
pub(crate) struct AuditLayer {
    pub(crate) app: AppState,
    pub(crate) service: ServiceName,
    pub(crate) timeouts: Timeouts,
    pub(crate) limiter: Option<Arc<RateLimiter>>,
    pub(crate) cors: Arc<Cors>,
    /// Whether a proxy in front of this service terminates TLS.
    pub(crate) tls_at_proxy: bool,
}

/// Runs a handler to its end even if the client disconnects, and records the request.
pub(crate) async fn follow(State(middleware): State<AuditLayer>, request: Request, next: Next) -> Response {
    let slot = match request.extensions().get::<RequestSlots>() {
        Some(slots) => Some(slots.acquire().await),
        None => None,
    };
    // Runs in its own task: a client that disconnects aborts neither the change half-way nor its audit record.
    let handling = async move {
        let response = handle(middleware, request, next).await;
        drop(slot);
        response
    };
    tokio::spawn(handling).await.unwrap_or_else(|_| http::StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn handle(middleware: AuditLayer, request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = method_name(request.method());
    let route_found = template.as_deref().and_then(|path| Route::find(middleware.service, request.method(), path));
    let preflight = middleware.cors.preflight(request.method(), request.headers());
    let origin = middleware.cors.allowed(request.headers());
    let action = match (&preflight, route_found) {
        (Some(_), _) => None,
        (None, Some(route)) => route.action,
        (None, None) => Some(ActionName::RouteNone),
    };
    let info = request_info(&middleware, &request, template, action);
    let scope = Arc::new(RequestScope::new(info, middleware.app.ids.clone(), success_status));
    if let Some(id) = transfer_in_path(request.uri().path()) {
        scope.set_transfer(id);
    }
    let encrypted = middleware.tls_at_proxy || request.extensions().get::<Encrypted>().is_some_and(|tls| tls.0);
    let request = prepare(request, &scope, &middleware);
    let mut response = if let Err(error) = check_rate(&middleware, &scope) {
        ApiError::from(error).into_response()
    } else if let Some(response) = preflight {
        response
    } else {
        let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        handled.unwrap_or_else(|_| ApiError::from(Error::Internal("a handler panicked".into())).into_response())
    };
    // Only for reads, which clients can retry: the response to a change is needed to learn its result.
    let is_read = method == "GET" && action.is_some();
    if is_read && let Err(error) = middleware.app.response_budget.reserve(&mut response) {
        response = ApiError::from(error).into_response();
    }
    let api_error = response.extensions().get::<ApiError>().cloned();
    if let Some(api_error) = &api_error {
        response = keep_headers(&response, api_error.render(scope.asked().request_id));
    }
    finish_headers(response.headers_mut(), &scope);
    harden(response.headers_mut(), encrypted);
    middleware.cors.finish(origin, response.headers_mut());
    let info = scope.asked();
    let (request_id, route) = (info.request_id, &info.route);
    tracing::debug!(%request_id, service = info.service.as_str(), method, route, status = response.status().as_u16());
    let route = route_found.map_or("none", |route| route.template);
    let labels =
        RequestLabels { service: middleware.service.as_str(), method, route, status: response.status().as_u16() };
    middleware.app.metrics.count(&labels, scope.age());
    if action.is_none() {
        return response;
    }
    record(middleware, scope, response, api_error).await
}

/// Collects the properties of a request for its audit records.
fn request_info(
    middleware: &AuditLayer,
    request: &Request,
    template: Option<String>,
    action: Option<ActionName>,
) -> RequestInfo {
    let now = middleware.app.now();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let address = peer.map(|peer| middleware.app.client_address.of(peer, request.headers()));
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    RequestInfo {
        request_id: middleware.app.ids.next(now),
        client_request_id: request.headers().get(REQUEST_ID).and_then(client_id),
        at: now,
        service: middleware.service,
        method: method_name(request.method()).to_owned(),
        route: template.unwrap_or_else(|| "none".to_owned()),
        action: action.unwrap_or(ActionName::RouteNone),
        client: middleware.app.addresses.describe(address, agent, now),
        client_key: middleware.app.addresses.key_of(address),
        network_key: middleware.app.addresses.network_of(address),
    }
}

/// Returns the method for records and metrics.
///
/// Returns `other` for unknown methods, since clients may send any text.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// Parses a client's request id: 1 to 64 ASCII letters, digits and hyphens.
fn client_id(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let fits = (1..=MAX_CLIENT_ID_BYTES).contains(&text.len());
    (fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')).then(|| text.to_owned())
}

/// Returns the transfer id in a path, if well-formed.
///
/// Its audit trail then includes the request, even a rejected one.
fn transfer_in_path(path: &str) -> Option<TransferId> {
    let (_, rest) = path.split_once("/transfers/id/")?;
    rest.split('/').next()?.parse().ok()
}

/// Counts the request against the rate limit of its client address.
fn check_rate(middleware: &AuditLayer, scope: &RequestScope) -> Result<(), Error> {
    middleware.limiter.as_ref().map_or(Ok(()), |limiter| limiter.count_address(scope.asked().client_key))
}

/// Adds the scope and the rate limiter to the extensions, and guards the request body.
fn prepare(request: Request, scope: &Arc<RequestScope>, middleware: &AuditLayer) -> Request {
    let (mut parts, body) = request.into_parts();
    let expects_continue = parts.headers.contains_key(EXPECT);
    parts.extensions.insert(scope.clone());
    if let Some(limiter) = &middleware.limiter {
        parts.extensions.insert(limiter.clone());
    }
    Request::from_parts(parts, Body::new(GuardedBody::new(body, middleware.timeouts, expects_continue)))
}

/// Copies headers set by the router on an error response, such as `allow`, to the rendered one.
fn keep_headers(original: &Response, mut rendered: Response) -> Response {
    for (name, value) in original.headers() {
        if !rendered.headers().contains_key(name) && name != http::header::CONTENT_LENGTH {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered
}

/// Adds the request ids.
fn finish_headers(headers: &mut HeaderMap, scope: &RequestScope) {
    let info = scope.asked();
    let id = HeaderValue::from_str(&info.request_id.to_string());
    headers.insert(REQUEST_ID, id.expect("a UUID is a valid header value"));
    if let Some(id) = &info.client_request_id {
        headers.insert(
            CLIENT_REQUEST_ID,
            HeaderValue::from_str(id).expect("client_id allows only valid header characters"),
        );
    }
}

/// Writes the request record and counts bytes: now, or at the end of a streamed payload.
async fn record(
    middleware: AuditLayer,
    scope: Arc<RequestScope>,
    response: Response,
    api_error: Option<ApiError>,
) -> Response {
    let status = response.status().as_u16();
    if response.extensions().get::<StreamedPayload>().is_none() {
        let bytes_out = response.body().size_hint().exact().unwrap_or(0);
        let code = api_error.map(|api_error| api_error.code());
        middleware.app.metrics.count_bytes(middleware.service, scope.bytes_in(), bytes_out);
        middleware.app.audit.finish(&scope, status, code, bytes_out).await;
        return response;
    }
    let (parts, body) = response.into_parts();
    let timeout = middleware.timeouts.response_timeout();
    let on_end = move |bytes_out| {
        middleware.app.metrics.count_bytes(middleware.service, scope.bytes_in(), bytes_out);
        tokio::spawn(async move { middleware.app.audit.finish(&scope, status, None, bytes_out).await });
    };
    Response::from_parts(parts, Body::new(CountedBody::new(body, timeout, middleware.timeouts.min_rate, on_end)))
}
