//! State shared by all requests of both services, created once per process.

use std::sync::Arc;

use http::HeaderName;

use super::admin_key::AdminKey;
use super::metrics::{Metrics, TotalsCache};
use super::metrics_key::MetricsKey;
use super::notify::NotificationClient;
use super::readiness::ReadinessProbe;
use super::web::{Policy, RenderedPages};
use crate::domain::address::{AddressPolicy, NetworkKey};
use crate::domain::audit::AuditLog;
use crate::domain::base_url::BaseUrl;
use crate::domain::clock::{Clock, ClockGuard, ClockState};
use crate::domain::error::Error;
use crate::domain::id::RecordIds;
use crate::domain::limits::failed_attempts::{Attempt, FailedAttempts};
use crate::domain::notification::Outbox;
use crate::domain::store::{Store, StoreHeader};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::service::Tokens;
use crate::domain::transfers::Transfers;
use crate::server::net::client_address::{ClientAddressResolver, UntrustedProxy};
use crate::server::net::egress_limit::EgressLimit;
use crate::server::net::event_streams::EventStreams;
use crate::server::net::rate_limit::RateLimiter;
use crate::server::net::response_budget::ResponseBudget;
use crate::server::net::shared_limit::SharedLimit;

/// The state shared by the public and the admin service.
pub(super) struct App {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clock_guard: ClockGuard,
    pub(super) ids: Arc<RecordIds>,
    pub(super) client_address: ClientAddressResolver,
    pub(super) untrusted_proxy: UntrustedProxy,
    pub(super) addresses: AddressPolicy,
    pub(super) audit: AuditLog,
    pub(super) transfers: Transfers,
    pub(super) tokens: Tokens,
    pub(super) public_url: Option<BaseUrl>,
    pub(super) admin_url: Option<BaseUrl>,
    pub(super) auth_name: HeaderName,
    pub(super) admin_key: Option<AdminKey>,
    pub(super) metrics_key: Option<MetricsKey>,
    pub(super) metrics: Metrics,
    pub(super) store_totals: TotalsCache,
    pub(super) readiness: ReadinessProbe,
    /// Rate of proofs of the admin key, also where requests are not limited.
    pub(super) proof_limit: RateLimiter,
    pub(super) admin_key_attempts: FailedAttempts<NetworkKey>,
    pub(super) page_policy: Policy,
    pub(super) pages: RenderedPages,
    pub(super) response_budget: ResponseBudget,
    pub(super) payload_limit: SharedLimit,
    /// Limit on the rate of downloaded payload bytes per network; `None` for no limit.
    pub(super) egress_limit: Option<Arc<EgressLimit>>,
    pub(super) list_limit: SharedLimit,
    /// Whether each request to the store costs a request to a bucket.
    pub(super) is_remote: bool,
    /// Outbox of notifications.
    pub(super) outbox: Outbox,
    /// Sends notifications.
    pub(super) notifier: Arc<NotificationClient>,
    /// Limits of event streams.
    pub(super) event_streams: EventStreams,
}

impl App {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Checks whether the clock has jumped; looks for an administrator's acceptance in the store then.
    pub(super) async fn clock_state(&self) -> ClockState {
        if self.clock_guard.check(None) == ClockState::Trusted {
            return ClockState::Trusted;
        }
        let header = StoreHeader::of(&*self.store).await;
        self.clock_guard.check(header.ok().flatten().and_then(|header| header.clock_accepted_at))
    }

    /// Accepts a correct admin key or session, and counts a wrong one.
    ///
    /// # Errors
    /// [`Error::AdminKeyInvalid`] for a wrong or missing key; [`Error::RateLimited`] for a wrong key beyond the limit.
    pub(super) fn check_admin_attempt(
        &self,
        network: NetworkKey,
        now: Timestamp,
        attempt: Attempt,
    ) -> Result<(), Error> {
        match attempt {
            Attempt::Correct => return Ok(()),
            Attempt::Wrong => drop(self.admin_key_attempts.check(network, now, || attempt)?),
            Attempt::Missing => {}
        }
        Err(Error::AdminKeyInvalid)
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
