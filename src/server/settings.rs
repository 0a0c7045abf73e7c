//! Configuration of a server, as validated values.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::HeaderName;

use super::admin_key::AdminKey;
use super::metrics::DroppedLines;
use super::metrics_key::MetricsKey;
use super::notify::NotificationSettings;
use super::store::{Durability, StorageLocation};
use super::web::branding::Branding;
use crate::domain::address::is_loopback;
use crate::domain::audit::{IpMode, Retention, ServiceName, WriteMode};
use crate::domain::base_url::BaseUrl;
use crate::domain::limits::free_space::MinFreeSpace;
use crate::domain::limits::{ByteRate, Limits};
use crate::server::middleware::cors::AllowedOrigin;
use crate::server::net::client_address::ClientAddressResolver;
use crate::server::net::rate_limit::RateLimit;
use crate::server::net::timeouts::Timeouts;
use crate::server::net::tls::acme::AcmeSettings;

/// The complete configuration of a server.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// The storage for records and payloads.
    pub storage: StorageLocation,
    /// Whether acknowledged writes survive a power loss.
    pub durability: Durability,
    /// Limits on transfers.
    pub limits: Limits,
    /// The form in which client addresses are recorded.
    pub ip_mode: IpMode,
    /// The source of client addresses: the connection, or a trusted proxy's header.
    pub client_address: ClientAddressResolver,
    /// Whether connections of trusted proxies begin with a PROXY header, of version 1 or 2.
    pub proxy_protocol: bool,
    /// Rate limit per client address and per sender token.
    pub rate: RateMode,
    /// Rate of the payload bytes that the clients of one network download together; `None` for no limit.
    ///
    /// Counts bytes that pass through this service.
    pub egress_limit: Option<ByteRate>,
    /// Origins of pages that may call the public service (CORS).
    pub allow_origins: Vec<AllowedOrigin>,
    /// Base URL of the public service as its users reach it, if configured.
    pub public_url: Option<BaseUrl>,
    /// Base URL of the admin service as its users reach it, if configured; its origin may open sessions.
    pub admin_url: Option<BaseUrl>,
    /// Retention of audit records, for a new store. An existing store keeps its retention.
    pub retention: Retention,
    /// Free disk space that uploads must leave, for a store in a folder.
    pub min_free: MinFreeSpace,
    /// Mode of writing the audit records of reads and error responses.
    pub audit: WriteMode,
    /// Timeouts, the minimum rate of bodies, and the limits on connections and payload streams.
    pub timeouts: Timeouts,
    /// Whether payloads may pass through this service if clients can also reach the store directly.
    pub bytes_fallback: bool,
    /// Largest response to a read, in bytes, where the platform has a limit; payloads are exempt.
    pub max_response_bytes: Option<u64>,
    /// TLS certificate and key, if the operator provides them.
    pub tls: Option<TlsFiles>,
    /// TLS certificate that the service obtains itself. Without both, the service speaks plain HTTP.
    pub acme: Option<AcmeSettings>,
    /// Whether an admin service on a loopback address serves plain HTTP despite a certificate.
    ///
    /// Certificates name the public service, so a command on this machine could not verify them for a loopback address.
    pub plain_loopback_admin: bool,
    /// Name of the header with the admin key, and of the session cookie.
    pub auth_name: HeaderName,
    /// The admin key, required by the admin service.
    pub admin_key: Option<AdminKey>,
    /// Read-only key for the metrics of both services, if configured.
    pub metrics_key: Option<MetricsKey>,
    /// Webhooks and mail server of notifications.
    pub notifications: NotificationSettings,
    /// Name, links, logo and colour of the pages.
    pub branding: Branding,
    /// Whether access lines name transfers, tokens, and clients in the form of `ip_mode`.
    pub log_ids: bool,
    /// Counter of the log lines that this process could not write, for the metrics.
    pub dropped_lines: DroppedLines,
}

impl Settings {
    /// Returns the default configuration with `storage`.
    #[must_use]
    pub fn new(storage: StorageLocation) -> Self {
        Self {
            storage,
            durability: Durability::Full,
            limits: Limits::default(),
            ip_mode: IpMode::default(),
            client_address: ClientAddressResolver::default(),
            proxy_protocol: false,
            rate: RateMode::default(),
            egress_limit: None,
            allow_origins: Vec::new(),
            public_url: None,
            admin_url: None,
            retention: Retention::default(),
            min_free: MinFreeSpace::default(),
            audit: WriteMode::default(),
            timeouts: Timeouts::default(),
            bytes_fallback: true,
            max_response_bytes: None,
            tls: None,
            acme: None,
            plain_loopback_admin: false,
            auth_name: HeaderName::from_static("x-api-key"),
            admin_key: None,
            metrics_key: None,
            notifications: NotificationSettings::default(),
            branding: Branding::default(),
            log_ids: false,
            dropped_lines: DroppedLines::default(),
        }
    }

    /// Returns the configured URL of a service.
    pub(super) fn own_url(&self, service: ServiceName) -> Option<&BaseUrl> {
        match service {
            ServiceName::Public => self.public_url.as_ref(),
            ServiceName::Admin => self.admin_url.as_ref(),
        }
    }

    /// Returns whether a service that listens on `address` serves TLS. A Unix socket has no address and never does, since
    /// its peer is a proxy on the same machine.
    #[must_use]
    pub fn is_encrypted(&self, service: ServiceName, address: Option<SocketAddr>) -> bool {
        let Some(address) = address else { return false };
        let is_exempt = self.plain_loopback_admin && service == ServiceName::Admin && is_loopback(address.ip());
        self.has_certificate() && !is_exempt
    }

    /// Returns whether services have a TLS certificate, or obtain one.
    #[must_use]
    pub const fn has_certificate(&self) -> bool {
        self.tls.is_some() || self.acme.is_some()
    }
}

/// The mode of rate limiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateMode {
    /// [`RateLimit::default`], but no limit if only this machine can reach the service.
    ///
    /// Other machines cannot reach a service that listens on a loopback address, if its configuration has neither a trusted
    /// proxy nor a public URL with another host.
    #[default]
    WhenReachable,
    /// The given limit.
    Limited(RateLimit),
    /// No limit.
    Unlimited,
}

impl RateMode {
    /// Returns the limit for a service. `is_reachable`: whether other machines can reach the service.
    #[must_use]
    pub fn limit(self, is_reachable: bool) -> Option<RateLimit> {
        match self {
            Self::WhenReachable => is_reachable.then(RateLimit::default),
            Self::Limited(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

/// Paths of the TLS certificate and key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's certificate first.
    pub certificate: PathBuf,
    /// The private key of the server's certificate.
    pub key: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_apply_by_default_to_reachable_services() {
        assert_eq!(RateMode::default().limit(false), None);
        assert_eq!(RateMode::default().limit(true), Some(RateLimit::default()));
        let low: RateLimit = "1/s".parse().unwrap();
        for is_reachable in [false, true] {
            assert_eq!(RateMode::Unlimited.limit(is_reachable), None);
            assert_eq!(RateMode::Limited(low).limit(is_reachable), Some(low));
        }
    }

    #[test]
    fn only_an_admin_service_on_loopback_can_be_exempt_from_tls() {
        let mut settings = Settings::new(StorageLocation::Memory);
        assert!(!settings.is_encrypted(ServiceName::Public, None));
        let is_encrypted =
            |settings: &Settings, service, address: &str| settings.is_encrypted(service, address.parse().ok());
        assert!(!is_encrypted(&settings, ServiceName::Public, "0.0.0.0:1"));
        settings.tls = Some(TlsFiles { certificate: "cert.pem".into(), key: "key.pem".into() });
        for exempt in [false, true] {
            settings.plain_loopback_admin = exempt;
            for loopback in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
                assert!(is_encrypted(&settings, ServiceName::Public, loopback));
                assert_eq!(is_encrypted(&settings, ServiceName::Admin, loopback), !exempt, "{loopback}");
            }
            for reachable in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
                assert!(is_encrypted(&settings, ServiceName::Admin, reachable), "{reachable}");
            }
        }
    }
}
