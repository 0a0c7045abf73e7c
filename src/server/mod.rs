//! The public and the admin HTTP service over one store.
//!
//! [`Server::open`] opens the store and creates the shared state; [`Server::run`] serves until shutdown.

mod admin_key;
pub mod api;
mod background;
mod fd_limit;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "lambda")]
pub mod lambda;
mod maintenance;
mod metrics;
mod metrics_key;
mod middleware;
mod net;
mod notify;
mod readiness;
#[cfg(test)]
#[cfg(feature = "s3")]
mod request_budget;
mod router;
mod settings;
mod shared_run;
mod state;
pub mod store;
mod web;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

pub use admin_key::{AdminKey, WeakAdminKey};
pub use api::error_status::status_of;
pub use api::routes::{ROUTES, Route};
pub use maintenance::backup::BackupStoreError;
pub use maintenance::copy::CopyStoreError;
pub use metrics::DroppedLines;
pub use metrics_key::{MetricsKey, WeakMetricsKey};
pub use middleware::cors::{AllowedOrigin, InvalidOrigin};
pub use net::client_address::ClientAddressResolver;
pub use net::rate_limit::{InvalidRate, RateLimit};
pub use net::socket::ServiceSocket;
pub use net::timeouts::Timeouts;
pub use net::tls::TlsError;
pub use net::tls::acme::{AcmeDomain, AcmeSettings, InvalidAcmeDomain, LETS_ENCRYPT};
pub use notify::{InvalidSmtpUrl, NotificationSettings, SmtpServer};
pub use settings::{RateMode, Settings, TlsFiles};
pub use store::{BackupError, BackupReport, FolderState, InvalidStorageLocation, StorageLocation};
pub use web::branding::{Accent, Branding, BrandingError, ContactAddress, Logo, MAX_LOGO_BYTES, WebAddress};

use crate::domain::address::{AddressPolicy, is_loopback};
use crate::domain::audit::{AuditLog, AuditSettings, Flusher, ServiceName};
use crate::domain::clock::{Clock, ClockGuard};
use crate::domain::error::chain;
use crate::domain::id::RecordIds;
use crate::domain::limits::failed_attempts::{FailedAttempts, WRONG_ADMIN_KEYS};
use crate::domain::notification::{NotificationTarget, Outbox};
use crate::domain::store::{LayoutGuard, Store, StoreHeader, open_header};
use crate::domain::token::service::Tokens;
use crate::domain::transfers::{SweepResult, TransferSettings, Transfers};
use fd_limit::{Possible, Uses};
use metrics::{Metrics, ProcessInfo, TotalsCache};
use net::client_address::UntrustedProxy;
use net::connection_limit::ConnectionLimit;
use net::egress_limit::EgressLimit;
use net::event_streams::EventStreams;
use net::list_limit::list_limit;
use net::listener::Listener;
use net::payload_limit::payload_limit;
use net::rate_limit::RateLimiter;
use net::response_budget::ResponseBudget;
use net::tls::Tls;
use notify::NotificationClient;
use readiness::ReadinessProbe;
use state::{App, AppState};
use store::metered::MeteredStore;

/// Timeout for writing the last audit records at shutdown.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// The reasons why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No admin key is configured for the admin service.
    #[error("the admin service needs an admin key")]
    NoAdminKey,
    /// The store cannot be opened.
    #[error("cannot open the storage")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A listening socket has no address.
    #[error("the listening socket cannot be used")]
    Listener(#[source] std::io::Error),
    /// The TLS certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Settings of notifications are unusable.
    #[error("notifications cannot be sent")]
    Notifications(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A server with an open store, ready to serve.
pub struct Server {
    app: Arc<App>,
    flusher: Flusher,
    settings: Settings,
    tls: Option<Arc<Tls>>,
    reload: Arc<Notify>,
    metrics_listener: Option<TcpListener>,
    possible: Possible,
}

impl Server {
    /// Opens the store and creates the state shared by all requests.
    ///
    /// # Errors
    /// [`StartError`] if the TLS files or the storage cannot be used; no part is optional.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let tls = Tls::open(&settings)?.map(Arc::new);
        let store = settings.storage.open(settings.durability).await.map_err(StartError::Storage)?;
        Self::over(store, settings, clock, tls).await
    }

    /// Creates a server over the open `store`.
    async fn over(
        store: Arc<dyn Store>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        tls: Option<Arc<Tls>>,
    ) -> Result<Self, StartError> {
        let possible = Possible::in_this_process(if settings.storage.is_remote() { Uses::Bucket } else { Uses::Files });
        let metrics = Metrics::new(&ProcessInfo {
            storage: settings.storage.kind(),
            started_at: clock.now(),
            dropped_lines: &settings.dropped_lines,
        });
        let store: Arc<dyn Store> = Arc::new(MeteredStore::over(store, metrics.store.clone()));
        let header =
            open_header(&*store, settings.retention).await.map_err(|error| StartError::Storage(error.into()))?;
        let store: Arc<dyn Store> = Arc::new(LayoutGuard::over(store));
        let retention = header.retention();
        if retention != settings.retention {
            let days = |period: Duration| period.as_secs() / (24 * 60 * 60);
            let (days, days_of_reads) = (days(retention.changes()), days(retention.reads()));
            tracing::warn!(days, days_of_reads, "the store keeps the audit retention that it was created with");
        }
        let ids = Arc::<RecordIds>::default();
        let audit_settings = AuditSettings { mode: settings.audit, min_free: settings.min_free, retention };
        let (audit, flusher) = AuditLog::start(store.clone(), clock.clone(), ids.clone(), audit_settings);
        let store_origin = web::store_origin(&*store).await.map_err(|error| StartError::Storage(error.into()))?;
        let page_policy = web::Policy::new(store_origin.as_ref());
        let pages = web::RenderedPages::new(&settings.branding);
        let transfer_settings = TransferSettings {
            limits: settings.limits,
            retention,
            ip_mode: settings.ip_mode,
            min_free: settings.min_free,
            bytes_fallback: settings.bytes_fallback,
        };
        let notifier = NotificationClient::new(&settings.notifications)?;
        let service_targets = notifier.service_target().cloned().into_iter().collect();
        let outbox = Outbox::new(store.clone(), clock.clone(), service_targets);
        let transfers = Transfers::new(store.clone(), clock.clone(), ids.clone(), audit.clone(), transfer_settings);
        let app = App {
            tokens: Tokens::new(store.clone(), clock.clone()),
            store,
            clock_guard: ClockGuard::new(clock.clone()),
            clock,
            ids,
            client_address: settings.client_address.clone(),
            untrusted_proxy: UntrustedProxy::default(),
            addresses: AddressPolicy::new(settings.ip_mode),
            audit,
            transfers,
            public_url: settings.public_url.clone(),
            admin_url: settings.admin_url.clone(),
            auth_name: settings.auth_name.clone(),
            admin_key: settings.admin_key.clone(),
            metrics_key: settings.metrics_key.clone(),
            metrics,
            store_totals: TotalsCache::default(),
            readiness: ReadinessProbe::default(),
            proof_limit: RateLimiter::new(RateLimit::default()),
            admin_key_attempts: FailedAttempts::new(WRONG_ADMIN_KEYS),
            page_policy,
            pages,
            response_budget: ResponseBudget::default(),
            payload_limit: payload_limit(settings.timeouts.max_streams.min(possible.streams)),
            egress_limit: settings.egress_limit.map(|rate| Arc::new(EgressLimit::new(rate))),
            list_limit: list_limit(),
            is_remote: settings.storage.is_remote(),
            outbox,
            notifier: Arc::new(notifier),
            event_streams: EventStreams::new(settings.max_response_bytes.is_none()),
        };
        Ok(Self {
            app: Arc::new(app),
            flusher,
            settings,
            tls,
            reload: Arc::default(),
            metrics_listener: None,
            possible,
        })
    }

    /// Sets the notification at which the server loads the files of its TLS certificate again.
    ///
    /// Changed files are also noticed without it, within seconds.
    #[must_use]
    pub fn reload_on(self, reload: Arc<Notify>) -> Self {
        Self { reload, ..self }
    }

    /// Serves the metrics on a listener of their own, by plain HTTP.
    ///
    /// Asks for the metrics key if one is configured.
    #[must_use]
    pub fn metrics_on(self, listener: Option<TcpListener>) -> Self {
        Self { metrics_listener: listener, ..self }
    }

    /// Serves each service on its listener until `stop`.
    ///
    /// After `stop`, waits for in-flight requests, and writes buffered counters and audit records.
    ///
    /// # Errors
    /// [`StartError::NoAdminKey`] if an admin service is requested without an admin key; [`StartError::Listener`] if a
    /// listener is not usable.
    pub async fn run(
        mut self,
        listeners: Vec<(ServiceName, ServiceSocket)>,
        stop: CancellationToken,
    ) -> Result<(), StartError> {
        let admin = listeners.iter().any(|(service, _)| *service == ServiceName::Admin);
        if admin && self.app.admin_key.is_none() {
            return Err(StartError::NoAdminKey);
        }
        // An ACME server validates domains at the address of the public service.
        let order = listeners.iter().any(|(service, _)| *service == ServiceName::Public);
        let mut timeouts = self.settings.timeouts;
        let possible = self.possible.connections / listeners.len().max(1);
        timeouts.max_connections = timeouts.max_connections.min(possible).max(1);
        let mut listening = JoinSet::new();
        self.app.event_streams.end_on(&stop);
        for (service, socket) in listeners {
            let address = socket.address().map_err(StartError::Listener)?;
            let is_published = self.settings.public_url.as_ref().is_some_and(|root| !root.is_loopback());
            let is_proxied = self.settings.client_address.trusts_any();
            let is_open = address.is_some_and(|address| !is_loopback(address.ip()));
            let is_reachable = is_open || is_published || is_proxied;
            let limiter = self.settings.rate.limit(is_reachable).map(RateLimiter::new).map(Arc::new);
            self.app.metrics.requests.add_service(service);
            let connection_limit =
                ConnectionLimit::new(AppState(self.app.clone()), service, timeouts.max_connections, limiter.is_some());
            let router = router::router(&self.app, service, &self.settings, limiter);
            let tls = self.tls.as_ref().filter(|_| self.settings.is_encrypted(service, address));
            let tls = tls.map(|tls| tls.acceptor());
            let base_path = router::base_path(service, &self.settings);
            if base_path.is_none() && self.settings.own_url(service).is_some_and(|url| url.join("/").path() != "/") {
                let service = service.as_str();
                tracing::warn!(service, "the path of the service's URL begins as a route: the proxy must remove it");
            }
            let listener = Listener {
                socket,
                router,
                base_path,
                tls,
                timeouts,
                connection_limit,
                proxy_protocol: self.settings.proxy_protocol,
            };
            listening.spawn(listener.serve(stop.clone()));
        }
        if let Some(socket) = self.metrics_listener.take() {
            listening.spawn(metrics::listen(&self.app, socket, self.settings.timeouts).serve(stop.clone()));
        }
        let mut background = background::start(&self.app, self.tls.clone(), order, self.reload.clone(), &stop);
        while listening.join_next().await.is_some() {}
        while background.join_next().await.is_some() {}
        self.shut_down().await;
        Ok(())
    }

    /// Records the webhook of all transfers in the store. Returns its origin and secret if the store did not know it.
    ///
    /// A secret from the settings is not returned, since the operator has it.
    ///
    /// # Errors
    /// [`StartError::Storage`].
    pub async fn new_webhook(&self) -> Result<Option<(String, Zeroizing<String>)>, StartError> {
        let new = self.app.outbox.register_service_targets().await;
        let new = new.map_err(|error| StartError::Storage(error.into()))?;
        let derived = new.into_iter().next().filter(|_| self.settings.notifications.webhook_secret.is_none());
        let shown = |target: NotificationTarget| {
            Some((target.address.to_string(), self.app.notifier.secret(target.target_id)?.to_text()))
        };
        Ok(derived.and_then(shown))
    }

    /// Accepts the present clock: services on this store whose clock has jumped sweep again.
    ///
    /// # Errors
    /// [`StartError::Storage`] if the store cannot be written.
    pub async fn accept_clock(&self) -> Result<(), StartError> {
        let accepted = StoreHeader::accept_clock(&*self.app.store, self.app.now()).await;
        accepted.map_err(|error| StartError::Storage(error.into()))
    }

    /// Runs one sweep instead of serving.
    ///
    /// # Errors
    /// [`StartError::Storage`] if the store cannot be listed. A failed transfer is counted and left for the next sweep.
    pub async fn sweep(self) -> Result<SweepResult, StartError> {
        let swept = self.app.transfers.sweep().await.map_err(|error| StartError::Storage(error.into()));
        if let Err(error) = self.app.outbox.maintain().await {
            tracing::error!(error = %chain(&error), "cannot bound the outbox of notifications");
        }
        self.shut_down().await;
        swept
    }

    /// Writes buffered counters and audit records, then shuts down.
    async fn shut_down(self) {
        self.app.transfers.flush_counts().await;
        self.app.transfers.write_deletions().await;
        background::flush(&*self.app.store).await;
        // Dropping the last clone of the audit log ends its writer after all queued records are written.
        drop(self.app);
        if tokio::time::timeout(FLUSH_TIMEOUT, self.flusher).await.is_err() {
            tracing::error!("the last audit records could not be written in time; they are lost");
        }
    }
}
