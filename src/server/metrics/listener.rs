//! Listener of its own for the metrics, beside those of the services.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use tokio::net::TcpListener;

use super::scrape;
use crate::domain::limits::failed_attempts::Attempt;
use crate::server::metrics_key::bearer_attempt;
use crate::server::net::connection_info::Peer;
use crate::server::net::connection_limit::ConnectionLimit;
use crate::server::net::listener::Listener;
use crate::server::net::timeouts::Timeouts;
use crate::server::state::{App, AppState};

/// The format that Prometheus prefers.
pub(in crate::server) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Maximum connections of the listener.
const MAX_CONNECTIONS: usize = 16;

/// Creates the listener, which serves `GET /metrics` by plain HTTP and nothing else.
///
/// Asks for the metrics key if one is configured.
pub(in crate::server) fn listen(app: &Arc<App>, socket: TcpListener, timeouts: Timeouts) -> Listener {
    let state = AppState(app.clone());
    let router = Router::new().route("/metrics", get(metrics)).with_state(state.clone());
    let timeouts = Timeouts { max_connections: MAX_CONNECTIONS, ..timeouts };
    let connection_limit = ConnectionLimit::unlimited(state);
    Listener {
        socket: socket.into(),
        router,
        base_path: None,
        tls: None,
        timeouts,
        connection_limit,
        proxy_protocol: false,
    }
}

async fn metrics(State(app): State<AppState>, request: Request) -> Response {
    let attempt = match &app.metrics_key {
        Some(key) => bearer_attempt(request.headers(), Some(key)),
        None => Attempt::Correct,
    };
    match attempt {
        Attempt::Correct => {
            ([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], scrape(&app).await).into_response()
        }
        Attempt::Missing => unauthorised(),
        Attempt::Wrong => {
            let peer = request.extensions().get::<Peer>().map(|peer| peer.ip());
            let network = app.addresses.network_of(peer);
            match app.admin_key_attempts.check(network, app.now(), || attempt) {
                Ok(_) => unauthorised(),
                Err(_) => StatusCode::TOO_MANY_REQUESTS.into_response(),
            }
        }
    }
}

fn unauthorised() -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer realm=\"sgsend metrics\"")]).into_response()
}
