//! `GET /health` (liveness and capabilities) and `GET /health/ready` (readiness of the store).

use axum::Json;
use axum::extract::State;
use http::request::Parts;

use super::error::ApiError;
use crate::domain::audit::ServiceName;
use crate::domain::clock::ClockState;
use crate::domain::error::{Error, ErrorCode};
use crate::domain::wire::{Health, Readiness};
use crate::server::net::connection_info::Peer;
use crate::server::state::{App, AppState};

/// The version of the HTTP API.
const API: u32 = 1;

/// Returns the version, mode and limits of this service.
///
/// Cheap: reads no store and writes nothing.
#[utoipa::path(get, operation_id = "get_health", path = "/health", tag = "health", responses((status = 200, body = Health)))]
pub(crate) async fn public(State(app): State<AppState>, request: Parts) -> Json<Health> {
    Json(health(&app, ServiceName::Public, &request))
}

/// Returns the version, mode and limits of this service.
#[utoipa::path(get, operation_id = "get_health", path = "/health", tag = "health", responses((status = 200, body = Health)))]
pub(crate) async fn admin(State(app): State<AppState>, request: Parts) -> Json<Health> {
    Json(health(&app, ServiceName::Admin, &request))
}

fn health(app: &App, service: ServiceName, request: &Parts) -> Health {
    let peer = request.extensions.get::<Peer>().copied();
    Health {
        status: "ok".to_owned(),
        api: API,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        service,
        mode: app.transfers.mode(),
        limits: app.transfers.settings().limits.into(),
        behind_untrusted_proxy: peer.is_some_and(|peer| app.client_address.is_untrusted_proxy(peer, &request.headers)),
    }
}

/// Checks within 2 s that records and payloads can be read and written.
///
/// Results are kept for some seconds, so that requests do not load the store.
/// With a full storage, downloads and deletions may still work, but uploads and other changes do not.
#[utoipa::path(get, operation_id = "get_readiness", path = "/health/ready", tag = "health", responses((status = 200, body = Readiness)))]
pub(crate) async fn ready(State(app): State<AppState>) -> Result<Json<Readiness>, ApiError> {
    let failed = app.readiness.failed_checks(&app).await;
    if let Some(error) = failed.first().and_then(|code| error_of(*code)) {
        return Err(ApiError::not_ready(error, &failed));
    }
    let clock_jumped = app.clock_guard.check(None) != ClockState::Trusted;
    Ok(Json(Readiness { status: "ready".to_owned(), free_space: app.transfers.free_space_level(), clock_jumped }))
}

/// Returns the error of a failed check.
const fn error_of(code: ErrorCode) -> Option<Error> {
    match code {
        ErrorCode::StorageFull => Some(Error::StorageFull),
        ErrorCode::StorageUpgraded => Some(Error::StorageUpgraded),
        ErrorCode::RecordsNotReadable => Some(Error::RecordsNotReadable),
        ErrorCode::RecordsNotWritable => Some(Error::RecordsNotWritable),
        ErrorCode::PayloadsNotReadable => Some(Error::PayloadsNotReadable),
        ErrorCode::PayloadsNotWritable => Some(Error::PayloadsNotWritable),
        _ => None,
    }
}
