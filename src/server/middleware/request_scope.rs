//! Opens the request scope, with the properties of a request that are known on arrival.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::header::USER_AGENT;
use http::{Method, StatusCode};

use super::MiddlewareContext;
use super::cors::Preflight;
use super::request_id::client_request_id;
use crate::domain::audit::{ActionName, ChangeResult, RequestInfo, RequestScope, ServiceName};
use crate::domain::id::TransferId;
use crate::server::api::routes::Route;
use crate::server::net::connection_info::Peer;
use crate::server::state::AppState;

/// The route table's entry for a request, added to the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchedRoute {
    /// `None` for requests that match no route.
    pub(super) route: Option<&'static Route>,
    /// The audited action; `None` for requests without audit records.
    pub(super) action: Option<ActionName>,
}

/// Adds the [`RequestScope`] and the [`MatchedRoute`] of a request to its extensions.
pub(super) async fn open_scope(
    context: Arc<MiddlewareContext>,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let (app, service) = (&context.app, context.service);
    let template = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = template.as_deref().and_then(|path| Route::find(service, request.method(), path));
    let is_preflight = request.extensions().get::<Preflight>().is_some();
    let action = match route {
        _ if is_preflight => None,
        Some(route) => route.action,
        None => Some(ActionName::RouteNone),
    };
    let info = request_info(app, service, &request, template, action);
    let scope = Arc::new(RequestScope::new(info, app.ids.clone(), success_status));
    if let Some(id) = transfer_in_path(request.uri().path()) {
        scope.set_transfer(id);
    }
    request.extensions_mut().insert(scope);
    request.extensions_mut().insert(MatchedRoute { route, action });
    next(request).await
}

/// Returns the scope of a request.
pub(super) fn scope_of(request: &Request) -> Arc<RequestScope> {
    request.extensions().get::<Arc<RequestScope>>().expect("an outer layer opens the scope").clone()
}

/// Returns the matched route of a request.
pub(super) fn matched_route(request: &Request) -> MatchedRoute {
    *request.extensions().get::<MatchedRoute>().expect("an outer layer matches the route")
}

/// Collects the properties of a request for its audit records.
fn request_info(
    app: &AppState,
    service: ServiceName,
    request: &Request,
    template: Option<String>,
    action: Option<ActionName>,
) -> RequestInfo {
    let now = app.now();
    let peer = request.extensions().get::<Peer>().copied();
    if let Some(peer) = peer.filter(|peer| app.client_address.is_untrusted_proxy(*peer, request.headers())) {
        app.untrusted_proxy.notice(peer);
    }
    let address = peer.map(|peer| app.client_address.of(peer, request.headers()));
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    RequestInfo {
        request_id: app.ids.next(now),
        client_request_id: client_request_id(request.headers()),
        at: now,
        service,
        method: method_name(request.method()).to_owned(),
        route: template.unwrap_or_else(|| "none".to_owned()),
        action: action.unwrap_or(ActionName::RouteNone),
        client: app.addresses.describe(address, agent, now),
        client_key: app.addresses.key_of(address),
        network_key: app.addresses.network_of(address),
    }
}

/// Returns the HTTP status for the result of a change; `None` if only the response decides.
fn success_status(result: ChangeResult) -> Option<u16> {
    match result {
        ChangeResult::Created => Some(StatusCode::CREATED.as_u16()),
        ChangeResult::Done => Some(StatusCode::OK.as_u16()),
        ChangeResult::Undetermined => None,
    }
}

/// Returns the method for records and metrics.
///
/// Returns `other` for unknown methods, since clients may send any text.
pub(super) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// Returns the transfer id in a path; `None` without a well-formed id.
///
/// The audit trail of this transfer then includes the request, even if the request is rejected.
fn transfer_in_path(path: &str) -> Option<TransferId> {
    let (_, rest) = path.split_once("/transfers/id/")?;
    rest.split('/').next()?.parse().ok()
}
