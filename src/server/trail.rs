//! What happens around every handler: the request's scope, its records, and the headers of its answer.

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

use super::Encrypted;
use super::answer_body::CountedBody;
use super::app::AppState;
use super::body::GuardedBody;
use super::cors::Cors;
use super::error::Refusal;
use super::hardening::harden;
use super::metrics::Answered;
use super::places::Places;
use super::rate::RateLimiter;
use super::route::Route;
use super::settings::Patience;
use crate::domain::audit::{ActionName, Asked, RequestScope, ServiceName};
use crate::domain::error::Error;
use crate::domain::id::TransferId;

/// The request's id: the server's own in answers; in requests what the client calls it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The client's own id of a request, echoed.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
/// The longest id of a client's.
const LONGEST_CLIENT_ID: usize = 64;

/// The peer of a connection, put into each of its requests by the listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Marks answers whose body is a payload: their request record follows when that has gone out.
#[derive(Clone, Copy, Debug)]
pub(super) struct PayloadAnswer;

/// What the trail of one service needs.
#[derive(Clone)]
pub(super) struct Trail {
    pub(super) app: AppState,
    pub(super) service: ServiceName,
    pub(super) patience: Patience,
    pub(super) limiter: Option<Arc<RateLimiter>>,
    pub(super) cors: Arc<Cors>,
    /// Whether a proxy before this service does TLS.
    pub(super) encrypted_before: bool,
}

/// Runs a handler and records it, whatever becomes of the client meanwhile, and finishes its answer.
pub(super) async fn follow(State(trail): State<Trail>, request: Request, next: Next) -> Response {
    let place = match request.extensions().get::<Places>() {
        Some(places) => Some(places.take().await),
        None => None,
    };
    // A task of its own: a client that goes away neither stops half-way what it has asked for, nor the record of it.
    let answering = async move {
        let response = answer(trail, request, next).await;
        drop(place);
        response
    };
    tokio::spawn(answering).await.unwrap_or_else(|_| http::StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn answer(trail: Trail, request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = method_name(request.method());
    let route_found = template.as_deref().and_then(|path| Route::find(trail.service, request.method(), path));
    let preflight = trail.cors.preflight(request.method(), request.headers());
    let origin = trail.cors.allowed(request.headers());
    let action = match (&preflight, route_found) {
        (Some(_), _) => None,
        (None, Some(route)) => route.action,
        (None, None) => Some(ActionName::RouteNone),
    };
    let scope = Arc::new(RequestScope::new(asked(&trail, &request, template, action), trail.app.ids.clone()));
    if let Some(id) = transfer_in_path(request.uri().path()) {
        scope.note_named(id);
    }
    let encrypted = trail.encrypted_before || request.extensions().get::<Encrypted>().is_some_and(|tls| tls.0);
    let request = prepare(request, &scope, &trail);
    let mut response = if let Err(error) = count(&trail, &scope) {
        Refusal::from(error).into_response()
    } else if let Some(answer) = preflight {
        answer
    } else {
        let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        handled.unwrap_or_else(|_| Refusal::from(Error::Internal("a handler panicked".into())).into_response())
    };
    // Only what can be asked again: the answer to a change says what was done.
    let asks = method == "GET" && action.is_some();
    if asks && let Err(error) = trail.app.held_answers.hold(&mut response) {
        response = Refusal::from(error).into_response();
    }
    let refusal = response.extensions().get::<Refusal>().cloned();
    if let Some(refusal) = &refusal {
        response = keep_headers(&response, refusal.render(scope.asked().request_id));
    }
    finish_headers(response.headers_mut(), &scope);
    harden(response.headers_mut(), encrypted);
    trail.cors.finish(origin, response.headers_mut());
    let asked = scope.asked();
    let (request_id, route) = (asked.request_id, &asked.route);
    tracing::debug!(%request_id, service = asked.service.as_str(), method, route, status = response.status().as_u16());
    let route = route_found.map_or("none", |route| route.template);
    let answered = Answered { service: trail.service.as_str(), method, route, status: response.status().as_u16() };
    trail.app.metrics.count(&answered, scope.age());
    if action.is_none() {
        return response;
    }
    record(trail, scope, response, refusal).await
}

fn asked(trail: &Trail, request: &Request, template: Option<String>, action: Option<ActionName>) -> Asked {
    let now = trail.app.now();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let address = peer.map(|peer| trail.app.client_address.of(peer, request.headers()));
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    Asked {
        request_id: trail.app.ids.next(now),
        client_request_id: request.headers().get(REQUEST_ID).and_then(client_id),
        at: now,
        service: trail.service,
        method: method_name(request.method()).to_owned(),
        route: template.unwrap_or_else(|| "none".to_owned()),
        action: action.unwrap_or(ActionName::RouteNone),
        client: trail.app.addresses.describe(address, agent, now),
        client_key: trail.app.addresses.key_of(address),
        site_key: trail.app.addresses.site_of(address),
    }
}

/// The method as it is recorded: a client may send any text as one.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// A client's own id of its request, if it has the form of one.
fn client_id(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let fits = (1..=LONGEST_CLIENT_ID).contains(&text.len());
    (fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')).then(|| text.to_owned())
}

/// The transfer that a path names, if it has the form of an id: the request then belongs to its trail, even refused.
fn transfer_in_path(path: &str) -> Option<TransferId> {
    let (_, rest) = path.split_once("/transfers/id/")?;
    rest.split('/').next()?.parse().ok()
}

/// Counts a request of this address.
fn count(trail: &Trail, scope: &RequestScope) -> Result<(), Error> {
    trail.limiter.as_ref().map_or(Ok(()), |limiter| limiter.count_address(scope.asked().client_key))
}

fn prepare(request: Request, scope: &Arc<RequestScope>, trail: &Trail) -> Request {
    let (mut parts, body) = request.into_parts();
    let expects_continue = parts.headers.contains_key(EXPECT);
    parts.extensions.insert(scope.clone());
    if let Some(limiter) = &trail.limiter {
        parts.extensions.insert(limiter.clone());
    }
    Request::from_parts(parts, Body::new(GuardedBody::new(body, trail.patience, expects_continue)))
}

/// The headers that the router itself has set on a refusal, such as `allow`.
fn keep_headers(refused: &Response, mut rendered: Response) -> Response {
    for (name, value) in refused.headers() {
        if !rendered.headers().contains_key(name) && name != http::header::CONTENT_LENGTH {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered
}

fn finish_headers(headers: &mut HeaderMap, scope: &RequestScope) {
    let asked = scope.asked();
    let id = HeaderValue::from_str(&asked.request_id.to_string());
    headers.insert(REQUEST_ID, id.expect("a UUID is a header value"));
    if let Some(id) = &asked.client_request_id {
        headers.insert(CLIENT_REQUEST_ID, HeaderValue::from_str(id).expect("its form was checked"));
    }
}

async fn record(trail: Trail, scope: Arc<RequestScope>, response: Response, refusal: Option<Refusal>) -> Response {
    let status = response.status().as_u16();
    if response.extensions().get::<PayloadAnswer>().is_none() {
        let bytes_out = response.body().size_hint().exact().unwrap_or(0);
        let code = refusal.map(|refusal| refusal.code());
        trail.app.metrics.count_bytes(trail.service, scope.bytes_in(), bytes_out);
        trail.app.audit.finish(&scope, status, code, bytes_out).await;
        return response;
    }
    let (parts, body) = response.into_parts();
    let patience = trail.patience.for_bodies();
    let when_over = move |bytes_out| {
        trail.app.metrics.count_bytes(trail.service, scope.bytes_in(), bytes_out);
        tokio::spawn(async move { trail.app.audit.finish(&scope, status, None, bytes_out).await });
    };
    Response::from_parts(parts, Body::new(CountedBody::new(body, patience, trail.patience.least_rate, when_over)))
}
