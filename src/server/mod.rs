//! The two services over a store.
//!
//! [`Server::open`] makes everything that requests need, [`Server::run`] serves until it is told to stop.

mod admin;
mod admin_key;
mod answer_body;
mod app;
mod body;
mod client_address;
mod copying;
mod cors;
mod description;
mod descriptors;
mod docs;
mod error;
mod examination;
mod extract;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod hardening;
mod health;
mod held_answers;
mod html;
mod listener;
mod metrics;
mod openapi;
mod paging;
mod places;
mod public;
pub mod range;
mod rate;
mod route;
mod settings;
mod sites;
mod slow;
mod soundness;
pub mod store;
mod store_folder;
mod streams;
mod tls;
mod trail;
mod web;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use admin_key::{AdminKey, WeakAdminKey};
pub use client_address::ClientAddress;
pub use copying::{CopyStoreError, copy_store};
pub use cors::{AllowedOrigin, InvalidOrigin};
pub use error::status_of;
pub use examination::examine;
pub use rate::{InvalidRate, RateLimit};
pub use route::{ROUTES, Route};
pub use settings::{DEFAULT_RETENTION, InvalidStorage, Patience, Rate, Settings, StorageLocation, TlsFiles};
pub use soundness::check_store;
pub use store_folder::{StoreFolder, look_at as look_at_folder};
pub use tls::TlsError;

use crate::domain::address::AddressPolicy;
use crate::domain::attempts::Attempts;
use crate::domain::audit::{AuditLog, Flusher, ServiceName};
use crate::domain::clock::Clock;
use crate::domain::error::{Error, chain};
use crate::domain::id::RecordIds;
use crate::domain::random;
use crate::domain::root::ServerRoot;
use crate::domain::store::{MemoryStore, Store, open_header};
use crate::domain::tokens::Tokens;
use crate::domain::transfers::{Rules, Swept, Transfers};
use app::{App, AppState};
use cors::Cors;
use error::Refusal;
use held_answers::HeldAnswers;
use listener::Listener;
use metrics::Metrics;
use rate::RateLimiter;
use sites::Sites;
use store::{FileStore, open_bucket};
use trail::Trail;

/// Wrong admin keys that one site may show...
const WRONG_KEYS: u32 = 10;
/// ...in this time.
const WRONG_KEYS_IN: Duration = Duration::from_mins(1);
/// How often counted downloads are added to their transfers.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How often counters are written that the store has gathered.
const FLUSH_EVERY: Duration = Duration::from_mins(1);
/// How often the sweeper looks for what is due.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How long the last records may take to be written at the end.
const FLUSH_FOR: Duration = Duration::from_secs(10);

/// Whether a connection is encrypted up to this process.
#[derive(Clone, Copy, Debug)]
struct Encrypted(bool);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The admin service has no key.
    #[error("the admin service needs an admin key")]
    NoAdminKey,
    /// The store cannot be opened.
    #[error("cannot open the storage")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// TLS cannot be offered.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A server that is ready to serve.
pub struct Server {
    app: Arc<App>,
    flusher: Flusher,
    settings: Settings,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Server {
    /// Opens the store and makes everything that requests need.
    ///
    /// # Errors
    /// [`StartError`]; a server that lacks anything does not start.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let store = open_store(&settings).await?;
        let header =
            open_header(&*store, settings.retain_audit).await.map_err(|error| StartError::Storage(error.into()))?;
        if header.retain_audit() != settings.retain_audit {
            let days = header.retain_audit().as_secs() / (24 * 60 * 60);
            tracing::warn!(days, "this store was made with another retention of audit records, which holds");
        }
        let ids = Arc::<RecordIds>::default();
        let (audit, flusher) = AuditLog::start(store.clone(), clock.clone(), ids.clone(), settings.audit);
        let store_origin = web::store_origin(&*store).await.map_err(|error| StartError::Storage(error.into()))?;
        let page_policy = web::Policy::new(store_origin.as_ref());
        let rules = Rules {
            limits: settings.limits,
            retain_audit: header.retain_audit(),
            ip_mode: settings.ip_mode,
            min_free: settings.min_free,
            bytes_fallback: settings.bytes_fallback,
        };
        let transfers = Transfers::new(store.clone(), clock.clone(), ids.clone(), audit.clone(), rules);
        let app = App {
            tokens: Tokens::new(store.clone(), clock.clone()),
            store,
            clock,
            ids,
            client_address: settings.client_address.clone(),
            addresses: AddressPolicy::new(settings.ip_mode),
            audit,
            transfers,
            public_url: settings.public_url.clone(),
            auth_name: settings.auth_name.clone(),
            admin_key: settings.admin_key.clone(),
            metrics: Metrics::default(),
            key_attempts: Attempts::new(WRONG_KEYS, WRONG_KEYS_IN),
            page_policy,
            held_answers: HeldAnswers::default(),
        };
        Ok(Self { app: Arc::new(app), flusher, settings, tls })
    }

    /// Serves each service on its listener until `stop`; then lets requests under way end and writes what is not yet
    /// written.
    ///
    /// # Errors
    /// [`StartError::NoAdminKey`] for an admin service without a key.
    pub async fn run(
        self,
        listeners: Vec<(ServiceName, TcpListener)>,
        stop: CancellationToken,
    ) -> Result<(), StartError> {
        let admin = listeners.iter().any(|(service, _)| *service == ServiceName::Admin);
        if admin && self.app.admin_key.is_none() {
            return Err(StartError::NoAdminKey);
        }
        let mut patience = self.settings.patience;
        patience.connections = patience.connections.min(descriptors::connections() / listeners.len().max(1)).max(1);
        let mut serving = JoinSet::new();
        for (service, socket) in listeners {
            let loopback = socket.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
            let known = self.settings.public_url.as_ref().is_some_and(|root| !root.is_loopback());
            let proxied = known || !self.settings.client_address.proxies.is_empty();
            let limiter = self.settings.rate.limit(loopback, proxied).map(RateLimiter::new).map(Arc::new);
            let sites = Sites::new(AppState(self.app.clone()), patience.connections, limiter.is_some());
            let router = router(&self.app, service, &self.settings, limiter);
            let listener = Listener { socket, router, tls: self.tls.clone(), patience, sites };
            serving.spawn(listener.serve(stop.clone()));
        }
        let mut chores = JoinSet::new();
        chores.spawn(keep_counting(self.app.transfers.clone(), stop.clone()));
        chores.spawn(keep_flushing(self.app.store.clone(), stop.clone()));
        chores.spawn(keep_sweeping(self.app.transfers.clone(), stop.clone()));
        while serving.join_next().await.is_some() {}
        while chores.join_next().await.is_some() {}
        self.end().await;
        Ok(())
    }

    /// Does one round of clean-up instead of serving.
    ///
    /// # Errors
    /// Where the store cannot be listed. A transfer that cannot be dealt with is counted, and left for another round.
    pub async fn sweep(self) -> Result<Swept, StartError> {
        let swept = self.app.transfers.sweep().await.map_err(|error| StartError::Storage(error.into()));
        self.end().await;
        swept
    }

    /// Writes what is not yet written.
    async fn end(self) {
        self.app.transfers.flush_counts().await;
        flush(&*self.app.store).await;
        // The last clone of the audit log ends its writer, once everything is written.
        drop(self.app);
        if tokio::time::timeout(FLUSH_FOR, self.flusher).await.is_err() {
            tracing::error!("the last audit records could not be written in time");
        }
    }
}

async fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    let (folder, durability) = match &settings.storage {
        StorageLocation::Memory => return Ok(Arc::new(MemoryStore::default())),
        StorageLocation::S3(location) => {
            return open_bucket(location).await.map_err(|error| StartError::Storage(error.into()));
        }
        StorageLocation::File(folder) => (folder.clone(), settings.durability),
    };
    let opened = tokio::task::spawn_blocking(move || FileStore::open(&folder, durability)).await;
    let opened = opened.map_err(|panic| StartError::Storage(panic.into()))?;
    Ok(Arc::new(opened.map_err(|error| StartError::Storage(error.into()))?))
}

fn router(app: &Arc<App>, service: ServiceName, settings: &Settings, limiter: Option<Arc<RateLimiter>>) -> Router {
    let routes = match service {
        ServiceName::Public => public::routes(),
        ServiceName::Admin => admin::routes(),
    };
    let (handlers, mut api) = routes.split_for_parts();
    openapi::finish(&mut api, service, settings);
    let state = AppState(app.clone());
    let cors = match service {
        ServiceName::Public => Cors::new(settings.allow_origins.clone()),
        ServiceName::Admin => Cors::default(),
    };
    let https = settings.public_url.as_ref().is_some_and(ServerRoot::is_encrypted);
    let trail = Trail {
        app: state.clone(),
        service,
        patience: settings.patience,
        limiter,
        cors: Arc::new(cors),
        encrypted_before: https && service == ServiceName::Public,
    };
    handlers
        .merge(openapi::routes(&api, service, settings))
        .merge(web::routes(service))
        .fallback(async || Refusal::from(Error::RouteNotFound))
        .method_not_allowed_fallback(async || Refusal::from(Error::MethodNotAllowed))
        .layer(from_fn_with_state(trail, trail::follow))
        .with_state(state)
}

/// Adds up downloads, until it is told to stop.
async fn keep_counting(transfers: Transfers, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(COUNT_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        transfers.flush_counts().await;
    }
}

/// Writes what the store has gathered, until it is told to stop.
async fn keep_flushing(store: Arc<dyn Store>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        flush(&*store).await;
    }
}

async fn flush(store: &dyn Store) {
    if let Err(error) = store.flush().await {
        tracing::error!(error = %chain(&error), "counters could not be written yet");
    }
}

/// Sweeps, until it is told to stop; then a round that is under way is given up.
async fn keep_sweeping(transfers: Transfers, stop: CancellationToken) {
    // Several servers on one store each sweep at a second of their own.
    let first = tokio::time::Instant::now() + SWEEP_EVERY.mul_f64(f64::from(random::bytes::<1>()[0]) / 255.0);
    let mut ticks = tokio::time::interval_at(first, SWEEP_EVERY);
    let sweeping = async {
        loop {
            ticks.tick().await;
            match transfers.sweep().await {
                Ok(swept) => tracing::debug!(?swept, "swept"),
                Err(error) => tracing::error!(error = %chain(&error), "a sweep could not be finished"),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = sweeping => {}
    }
}
