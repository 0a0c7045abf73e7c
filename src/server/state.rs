//! State shared by all requests of both services, created once per process.

use std::sync::Arc;

use http::HeaderName;

use super::admin_key::AdminKey;
use super::metrics::Metrics;
use super::web::Policy;
use crate::domain::address::{AddressPolicy, SiteKey};
use crate::domain::audit::AuditLog;
use crate::domain::base_url::ServerRoot;
use crate::domain::clock::Clock;
use crate::domain::id::RecordIds;
use crate::domain::limits::failed_attempts::Attempts;
use crate::domain::store::Store;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::service::Tokens;
use crate::domain::transfers::Transfers;
use crate::server::net::client_address::ClientAddress;
use crate::server::net::response_budget::HeldAnswers;

/// The state shared by the public and the admin service.
pub(super) struct App {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<RecordIds>,
    pub(super) client_address: ClientAddress,
    pub(super) addresses: AddressPolicy,
    pub(super) audit: AuditLog,
    pub(super) transfers: Transfers,
    pub(super) tokens: Tokens,
    pub(super) public_url: Option<ServerRoot>,
    pub(super) auth_name: HeaderName,
    pub(super) admin_key: Option<AdminKey>,
    pub(super) metrics: Metrics,
    pub(super) key_attempts: Attempts<SiteKey>,
    pub(super) page_policy: Policy,
    pub(super) held_answers: HeldAnswers,
}

impl App {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Reference-counted [`App`]: the axum state of every handler.
#[derive(Clone)]
pub(super) struct AppState(pub(super) Arc<App>);

impl std::ops::Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}
