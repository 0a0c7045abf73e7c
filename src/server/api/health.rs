//! `GET /health` (liveness and capabilities) and `GET /health/ready` (readiness of the store).

use axum::Json;
use axum::extract::State;
use http::request::Parts;

use super::error::ApiError;
use crate::domain::audit::ServiceName;
use crate::domain::clock::ClockState;
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::store::{LayoutVersion, StorageKey, StoreError};
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
    let peer = request.extensions.get::<Peer>().map(|peer| peer.0.ip());
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

/// Checks that the store responds, still has its header, was not upgraded and can be written.
///
/// With a full storage, downloads and deletions may still work, but uploads and other changes do not.
#[utoipa::path(get, operation_id = "get_readiness", path = "/health/ready", tag = "health", responses((status = 200, body = Readiness)))]
pub(crate) async fn ready(State(app): State<AppState>) -> Result<Json<Readiness>, ApiError> {
    let header = app.store.get(&StorageKey::header()).await?;
    let header = header.ok_or_else(|| StoreError::unavailable("the store header is missing"))?;
    LayoutVersion::check_stored(&header.value)?;
    if app.transfers.free_space_level() == FreeSpaceLevel::Full {
        // There may be space by now.
        app.store.measure_space().await;
    }
    match app.transfers.free_space_level() {
        FreeSpaceLevel::Full => Err(ApiError::not_ready(StoreError::Full)),
        free_space => {
            let clock_jumped = app.clock_guard.check(None) != ClockState::Trusted;
            Ok(Json(Readiness { status: "ready".to_owned(), free_space, clock_jumped }))
        }
    }
}
