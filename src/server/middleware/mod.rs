//! Middleware: the layers around every handler, one file per concern.
//!
//! [`stack`] lists them in their order.

mod audit;
mod catch_panic;
pub(super) mod cors;
mod error_rendering;
mod log;
mod metrics;
mod rate_limit;
mod request_body;
mod request_id;
mod request_scope;
mod response_budget;
mod run_to_end;
mod security_headers;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::Route;
use tower::{Layer, Service, ServiceBuilder};

use crate::domain::audit::ServiceName;
use crate::server::net::rate_limit::RateLimiter;
use crate::server::net::timeouts::Timeouts;
use crate::server::state::AppState;
use cors::Cors;

/// State and settings that the middleware layers of one service use.
pub(super) struct Context {
    pub(super) app: AppState,
    pub(super) service: ServiceName,
    pub(super) timeouts: Timeouts,
    /// `None` for no rate limit.
    pub(super) limiter: Option<Arc<RateLimiter>>,
    pub(super) cors: Cors,
    /// Whether a proxy in front of this service terminates TLS.
    pub(super) tls_at_proxy: bool,
}

/// Returns the middleware layers of a service, from the outermost to the innermost.
///
/// A request passes the layers in this order, and its response passes them in reverse. The header layers wrap all layers
/// that can respond, so that every response has the headers. Audit and metrics directly wrap the layers that can change
/// the status.
pub(super) fn stack(
    context: Context,
) -> impl Layer<
    Route,
    Service: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
                 + Clone
                 + Send
                 + Sync
                 + 'static,
> + Clone
+ Send
+ Sync
+ 'static {
    let Context { app, service, timeouts, limiter, cors, tls_at_proxy } = context;
    ServiceBuilder::new()
        .layer(from_fn(run_to_end::run_to_end))
        // Marks preflights, which the scope leaves out of the records.
        .layer(from_fn_with_state(Arc::new(cors), cors::add_cors_headers))
        .layer(from_fn_with_state(tls_at_proxy, security_headers::add_security_headers))
        .layer(from_fn_with_state((app.clone(), service), request_scope::open_scope))
        // All layers below use the scope.
        .layer(from_fn(request_id::add_request_ids))
        .layer(from_fn_with_state((app.clone(), timeouts), audit::write_records))
        // Inside the records, so that the measured time leaves out their writing.
        .layer(from_fn(log::log_response))
        .layer(from_fn_with_state(app.clone(), metrics::count_request))
        // Everything below responds with unrendered errors.
        .layer(from_fn(error_rendering::render_error))
        .layer(from_fn_with_state(app, response_budget::reserve_budget))
        // Outside the rate limit, so that the rest of a rejected request's body is drained.
        .layer(from_fn_with_state(timeouts, request_body::guard_body))
        // Outside the preflights, which count as requests.
        .layer(from_fn_with_state(limiter, rate_limit::limit_rate))
        .layer(from_fn(cors::respond_to_preflight))
        .layer(from_fn(catch_panic::catch_panic))
}
