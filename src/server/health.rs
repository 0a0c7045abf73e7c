//! `GET /health` and `GET /health/ready`

use axum::Json;
use axum::extract::State;

use super::app::{App, AppState};
use super::error::Refusal;
use crate::domain::audit::ServiceName;
use crate::domain::store::{StorageKey, StoreError};
use crate::domain::wire::{Health, Readiness};

/// The version of the HTTP API.
const API: u32 = 1;

/// Tells what this service is and what it accepts.
///
/// Cheap: it looks at no store and writes nothing.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Health)))]
pub(super) async fn public(State(app): State<AppState>) -> Json<Health> {
    Json(health(&app, ServiceName::Public))
}

/// Tells what this service is and what it accepts.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Health)))]
pub(super) async fn admin(State(app): State<AppState>) -> Json<Health> {
    Json(health(&app, ServiceName::Admin))
}

fn health(app: &App, service: ServiceName) -> Health {
    Health {
        status: "ok".to_owned(),
        api: API,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        service,
        mode: app.transfers.mode(),
        limits: app.transfers.rules().limits.into(),
    }
}

/// Tells whether the store answers.
#[utoipa::path(get, path = "/health/ready", tag = "health", responses((status = 200, body = Readiness)))]
pub(super) async fn ready(State(app): State<AppState>) -> Result<Json<Readiness>, Refusal> {
    let header = app.store.get(&StorageKey::header()).await?;
    header.ok_or_else(|| StoreError::unavailable("the store has lost its header"))?;
    Ok(Json(Readiness { status: "ready".to_owned() }))
}
