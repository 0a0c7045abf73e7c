//! Certificates from an ACME server (RFC 8555): ordered when there is none, and renewed.
//!
//! A certificate is in a file of the cache, which `Tls` loads like a configured one. So processes that share the cache
//! use the certificates that one of them obtains.

mod cache;
mod challenge;
mod http_client;
mod job;
mod order;
mod schedule;
mod settings;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use tokio::sync::Notify;

use self::cache::{Cache, OrderLock, ReservedFile};
pub(crate) use self::challenge::{CHALLENGE_PROTOCOL, Challenges, is_challenge};
use self::http_client::RetryAfter;
pub(crate) use self::job::renew_certificate;
use self::order::{OrderError, order};
use self::schedule::renewal_at;
pub use self::settings::{AcmeDomain, AcmeSettings, InvalidAcmeDomain, LETS_ENCRYPT};
use super::certificate::LoadedCertificate;
use super::{Tls, TlsError};
use crate::domain::clock::Clock;
use crate::domain::crypto::certificate::Validity;
use crate::domain::timestamp::Timestamp;
use crate::server::settings::TlsFiles;

/// Maximum time for an order.
const ORDER_TIMEOUT: Duration = Duration::from_mins(5);
/// Minimum time between two orders over one cache, unless the operator asks for one. Bounds a service that crashes.
const MIN_INTERVAL: Duration = Duration::from_mins(1);

/// Time by which the ACME server's clock may be ahead of this machine's.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(5);

/// State of the certificates that a process obtains by ACME.
pub(crate) struct Acme {
    settings: AcmeSettings,
    cache: Cache,
    challenges: Arc<Challenges>,
    /// Notified when the operator asks for an order at once.
    retry: Notify,
}

/// The reasons why there is no new certificate.
#[derive(Debug, thiserror::Error)]
enum AcmeError {
    #[error("cannot write in the ACME cache {0}")]
    Cache(String, #[source] io::Error),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("the order took longer than 5 min")]
    Timeout,
    #[error("cannot use the new certificate")]
    Certificate(#[source] TlsError),
    #[error("the new certificate is not for the ordered domains")]
    WrongDomains,
    #[error("the new certificate is valid from {} to {}, which excludes the time of this machine's clock, {}", .0.starts_at.utc(), .0.ends_at.utc(), .1.utc())]
    Clock(Validity, Timestamp),
}

/// Result of an order, unless it fails.
enum Ordered {
    /// There is a new certificate.
    Issued(Option<Validity>),
    /// No order was made: another process has made one, or makes one now.
    Unneeded,
}

impl Acme {
    pub(super) fn new(settings: AcmeSettings, provider: Arc<CryptoProvider>) -> Self {
        let cache = Cache::new(&settings);
        let challenges = Arc::new(Challenges::new(settings.domains.clone(), cache.clone(), provider));
        Self { settings, cache, challenges, retry: Notify::new() }
    }

    /// Returns the file of the key and the certificate, as the files of both.
    pub(super) fn files(&self) -> TlsFiles {
        let file = self.cache.certificate().to_owned();
        TlsFiles { certificate: file.clone(), key: file }
    }

    pub(super) fn challenges(&self) -> Arc<Challenges> {
        self.challenges.clone()
    }

    /// Asks for an order at once if one is needed, even if the last one has failed.
    pub(super) fn retry_now(&self) {
        self.retry.notify_one();
    }

    /// Returns whether the current certificate is missing, lacks a domain, or is due for renewal.
    fn needs_order(&self, tls: &Tls, now: Timestamp) -> bool {
        tls.with_current(|current| {
            let Some(current) = current else { return true };
            let is_due = current.validity.is_none_or(|validity| now >= renewal_at(&validity));
            is_due || !current.covers(&self.settings.domains)
        })
    }

    /// Orders a certificate, saves and uses it, unless another process has done so. `forced`: at the operator's request.
    async fn obtain(
        &self,
        tls: &Tls,
        clock: &dyn Clock,
        forced: bool,
        retry_after: RetryAfter,
    ) -> Result<Ordered, AcmeError> {
        let Some(lock) = self.blocking(Cache::lock).await? else { return Ok(Ordered::Unneeded) };
        let wait = lock.since_last_order.and_then(|elapsed| MIN_INTERVAL.checked_sub(elapsed));
        if let Some(wait) = wait.filter(|wait| !forced && !wait.is_zero()) {
            tracing::info!(wait_s = wait.as_secs(), "the last order was less than a minute ago: the next one waits");
            return Ok(Ordered::Unneeded);
        }
        // A file that cannot be used is replaced.
        if tls.reload_if_changed().unwrap_or(false) && !self.needs_order(tls, clock.now()) {
            return Ok(Ordered::Unneeded);
        }
        let (lock, reserved) = self.blocking(|cache| begin(cache, lock)).await?;
        let ordered = order(&self.settings, &self.cache, &self.challenges, retry_after);
        let pem = tokio::time::timeout(ORDER_TIMEOUT, ordered).await.map_err(|_| AcmeError::Timeout)??;
        let source = self.settings.directory.as_str();
        let certificate = LoadedCertificate::parse(&pem, source, &tls.provider).map_err(AcmeError::Certificate)?;
        if !certificate.covers(&self.settings.domains) {
            return Err(AcmeError::WrongDomains);
        }
        let validity = certificate.validity;
        // Without the file, the certificate is used until the process ends.
        let saved = self.blocking(move |cache| cache.save_certificate(reserved, &pem)).await;
        tls.install(certificate);
        drop(lock);
        saved?;
        let now = clock.now();
        let is_valid = |validity: Validity| validity.includes(now) || validity.includes(now.plus(MAX_CLOCK_SKEW));
        match validity {
            Some(validity) if !is_valid(validity) => Err(AcmeError::Clock(validity, now)),
            validity => Ok(Ordered::Issued(validity)),
        }
    }

    /// Runs a function that accesses the files of the cache.
    async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Cache) -> io::Result<T> + Send + 'static,
    ) -> Result<T, AcmeError> {
        let cache = self.cache.clone();
        let result = tokio::task::spawn_blocking(move || run(&cache)).await.expect("file access never panics");
        result.map_err(|error| AcmeError::Cache(self.cache.folder().display().to_string(), error))
    }
}

/// Notes the beginning of an order, and reserves space for its certificate.
fn begin(cache: &Cache, lock: OrderLock) -> io::Result<(OrderLock, ReservedFile)> {
    lock.note_order()?;
    let reserved = cache.reserve()?;
    Ok((lock, reserved))
}
