//! Middleware: the layers around every handler, one file per concern. The list in this file has them in their order.
//!
//! A layer is an async function of the service's context, a request, and the function of the layers inside it.

mod access_log;
mod audit;
mod catch_panic;
pub(super) mod cors;
mod error_rendering;
mod list_limit;
mod metrics;
mod payload_limit;
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
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use axum::extract::Request;
use axum::response::Response;
use axum::routing::Route;
use futures_util::FutureExt;
use tower::{Layer, Service};

use crate::domain::audit::ServiceName;
use crate::server::net::rate_limit::RateLimiter;
use crate::server::net::timeouts::Timeouts;
use crate::server::state::AppState;
use cors::Cors;

/// State and settings that the middleware layers of one service use.
pub(super) struct MiddlewareContext {
    pub(super) app: AppState,
    pub(super) service: ServiceName,
    pub(super) timeouts: Timeouts,
    /// `None` for no rate limit.
    pub(super) limiter: Option<Arc<RateLimiter>>,
    /// Largest response to a read, in bytes; `None` for no limit.
    pub(super) max_response_bytes: Option<u64>,
    pub(super) cors: Cors,
    /// Whether a proxy in front of this service terminates TLS.
    pub(super) tls_at_proxy: bool,
    /// Whether access lines name transfers, tokens and clients.
    pub(super) log_ids: bool,
}

/// Nests calls of the layers around the handler.
macro_rules! nest {
    ($context:ident, $handler:ident,) => { $handler };
    ($context:ident, $handler:ident, $module:ident::$function:ident, $($inner:tt)*) => {{
        let context = $context.clone();
        let next = nest!($context, $handler, $($inner)*);
        move |request: Request| $module::$function(context, request, next)
    }};
}

/// Declares [`handle`], which passes a request through layers, from the outermost to the innermost.
macro_rules! layers {
    ($($module:ident::$function:ident,)*) => {
        /// Names of the layers.
        #[cfg(test)]
        const LAYERS: &[&str] = &[$(concat!(stringify!($module), "::", stringify!($function)),)*];

        /// Passes a request through all layers to its handler, and returns the response.
        async fn handle(context: Arc<MiddlewareContext>, request: Request, mut handler: Route) -> Response {
            let handler = move |request| handler.call(request).map(|Ok(response)| response);
            nest!(context, handler, $($module::$function,)*)(request).await
        }
    };
}

// A request passes the layers in this order, and its response passes them in reverse. The header layers wrap all layers
// that can respond, so that every response has the headers. Audit and metrics directly wrap the layers that can change
// the status.
//
// Not a stack of axum's `from_fn`, which clones all inner layers once per layer and allocates in each.
layers! {
    run_to_end::run_to_end,
    // Marks preflights, which the scope leaves out of the records.
    cors::add_cors_headers,
    security_headers::add_security_headers,
    request_scope::open_scope,
    // All layers below use the scope. The access line follows the audit records, and ends with the body.
    access_log::log_request,
    request_id::add_request_ids,
    audit::write_records,
    // Inside the records, so that the measured time leaves out their writing.
    metrics::count_request,
    // Everything below responds with unrendered errors.
    error_rendering::render_error,
    response_budget::reserve_budget,
    // Outside the rate limit, so that the rest of a rejected request's body is drained.
    request_body::guard_body,
    // Outside the preflights, which count as requests.
    rate_limit::limit_rate,
    cors::respond_to_preflight,
    payload_limit::limit_payloads,
    list_limit::limit_lists,
    catch_panic::catch_panic,
}

/// Wraps each handler of a router in all layers.
#[derive(Clone)]
pub(super) struct Stack(Arc<MiddlewareContext>);

/// A handler within all layers.
#[derive(Clone)]
pub(super) struct Layered {
    context: Arc<MiddlewareContext>,
    handler: Route,
}

impl Stack {
    /// Creates the layers of a service.
    pub(super) fn new(context: MiddlewareContext) -> Self {
        Self(Arc::new(context))
    }
}

impl Layer<Route> for Stack {
    type Service = Layered;

    fn layer(&self, handler: Route) -> Layered {
        Layered { context: self.0.clone(), handler }
    }
}

impl Service<Request> for Layered {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        // Handlers are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(handle(self.context.clone(), request, self.handler.clone()).map(Ok))
    }
}
