//! Arguments of `sgsend serve`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::ArgPredicate;
use clap::{Args, Subcommand};
use http::HeaderName;

use super::acme::{ACME_LISTEN, AcmeOptions};
use super::argument_values::{DurabilityName, IpModeName, bytes, limits, rate};
use super::branding::BrandingArguments;
use super::listen::{ListenAddress, SocketMode, listen_address};
use super::monitoring::MonitoringOptions;
use super::notifications::NotificationArguments;
use super::proxy_arguments::ProxyArguments;
use super::{ADMIN_LISTEN, PUBLIC_LISTEN};
use crate::cli::commands::store::location::storage;
use crate::cli::config::paths;
use crate::cli::failure::Failure;
use crate::cli::input::s3_options::S3Options;
use crate::cli::input::values::{byte_rate, positive_duration};
use crate::domain::audit::{Retention, ServiceName};
use crate::domain::base_url::BaseUrl;
use crate::domain::limits::free_space::MinFreeSpace;
use crate::domain::limits::{ByteRate, Limits};
use crate::server::store::Durability;
use crate::server::{AllowedOrigin, RateMode, Settings, StorageLocation, TlsFiles};

/// Run the public service, the admin service, or both
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(super) services: ServiceChoice,
}

/// Selection of the services to run.
#[derive(Subcommand)]
pub(super) enum ServiceChoice {
    /// Run the service for senders and recipients
    Public {
        /// Listen address, :PORT for all addresses, or unix:PATH; port 0 selects a free port
        #[arg(long, env = "SGSEND_LISTEN", value_name = "ADDRESS", default_value_t = PUBLIC_LISTEN, default_value_if("acme_domain", ArgPredicate::IsPresent, ACME_LISTEN), value_parser = listen_address)]
        listen: ListenAddress,
        #[command(flatten)]
        common: CommonArguments,
    },
    /// Run the service for admins
    Admin {
        /// Listen address, :PORT for all addresses, or unix:PATH; port 0 selects a free port
        #[arg(long, env = "SGSEND_LISTEN", value_name = "ADDRESS", default_value_t = ADMIN_LISTEN, value_parser = listen_address)]
        listen: ListenAddress,
        #[command(flatten)]
        common: CommonArguments,
    },
    /// Run both services in one process
    All {
        /// Listen address of the public service, :PORT, or unix:PATH; port 0 selects a free port
        #[arg(long, env = "SGSEND_LISTEN", value_name = "ADDRESS", default_value_t = PUBLIC_LISTEN, default_value_if("acme_domain", ArgPredicate::IsPresent, ACME_LISTEN), value_parser = listen_address)]
        listen: ListenAddress,
        /// Listen address of the admin service, :PORT, or unix:PATH; port 0 selects a free port
        #[arg(long, env = "SGSEND_ADMIN_LISTEN", value_name = "ADDRESS", default_value_t = ADMIN_LISTEN, value_parser = listen_address)]
        admin_listen: ListenAddress,
        #[command(flatten)]
        common: CommonArguments,
    },
}

impl ServiceChoice {
    /// Splits the arguments into the services with their addresses, and the common options.
    pub(super) fn split(self) -> (Vec<(ServiceName, ListenAddress)>, CommonArguments) {
        match self {
            Self::Public { listen, common } => (vec![(ServiceName::Public, listen)], common),
            Self::Admin { listen, common } => (vec![(ServiceName::Admin, listen)], common),
            Self::All { listen, admin_listen, common } => {
                let mut common = common;
                common.one_process = true;
                (vec![(ServiceName::Public, listen), (ServiceName::Admin, admin_listen)], common)
            }
        }
    }
}

/// Options of every service. Each flag has an environment variable: SGSEND_ and its name in capitals.
#[derive(Args)]
#[command(next_help_heading = "Service options")]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct CommonArguments {
    /// TOML file with these flags as keys; flags and the environment take precedence
    #[arg(long, env = "SGSEND_CONFIG_FILE", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Permissions of the sockets that unix:PATH creates, in octal
    #[arg(long, env = "SGSEND_SOCKET_MODE", value_name = "MODE", default_value_t)]
    socket_mode: SocketMode,
    /// Storage: file:FOLDER, s3://BUCKET/PREFIX, or memory: (`serve all`) [default: user data directory]
    #[arg(long, env = "SGSEND_STORAGE", value_name = "URL", value_parser = storage)]
    storage: Option<StorageLocation>,
    #[command(flatten)]
    s3: S3Options,
    /// Transfer payloads by presigned URLs only, not through this service
    #[arg(long, env = "SGSEND_NO_BYTES_FALLBACK")]
    no_bytes_fallback: bool,
    /// URL at which users reach the public service, for links in responses
    #[arg(long, env = "SGSEND_PUBLIC_URL", value_name = "URL")]
    public_url: Option<BaseUrl>,
    /// URL at which browsers reach the admin service, if it has a path, or a proxy changes the Host header
    #[arg(long, env = "SGSEND_ADMIN_URL", value_name = "URL")]
    admin_url: Option<BaseUrl>,
    /// Maximum content size of a transfer
    #[arg(long, env = "SGSEND_MAX_SIZE", value_name = "SIZE", default_value = "100MiB", value_parser = limits)]
    max_size: Limits,
    /// How to store client addresses
    #[arg(long, env = "SGSEND_IP_MODE", value_name = "MODE", default_value = "hashed")]
    ip_mode: IpModeName,
    #[command(flatten)]
    proxies: ProxyArguments,
    /// Rate limit per client address and per sender token: off, or N/s:BURST [default: 50/s:500]
    ///
    /// IPv6 addresses are limited per /64. Without this option, there is no limit if only this machine can connect.
    #[arg(long, env = "SGSEND_RATE_LIMIT", value_name = "RATE", value_parser = rate)]
    rate_limit: Option<RateMode>,
    /// Payload bytes per second that the clients of one network download together [default: unlimited]
    ///
    /// A network is one IPv4 address or one IPv6 /48. Bytes above the rate wait. Downloads by presigned URLs do not pass
    /// through this service and are not limited.
    #[arg(long, env = "SGSEND_EGRESS_LIMIT", value_name = "SIZE", value_parser = byte_rate)]
    egress_limit: Option<ByteRate>,
    /// Web origin that may call the public service (CORS), as browsers send it; can be repeated
    #[arg(long, env = "SGSEND_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<AllowedOrigin>,
    /// Timeout for the next bytes of a payload [default: 30s for uploads, 5m for downloads]
    #[arg(long, env = "SGSEND_BODY_IDLE_TIMEOUT", value_name = "DURATION", value_parser = positive_duration)]
    body_idle_timeout: Option<Duration>,
    /// Time for requests in progress when the service stops; a second signal ends them at once
    #[arg(long, env = "SGSEND_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    drain_timeout: Duration,
    /// Minimum rate of payload transfers, in bytes per second of waiting for the client; 0 for none
    #[arg(long, env = "SGSEND_MIN_BODY_RATE", value_name = "SIZE", default_value = "1KiB", value_parser = bytes)]
    min_body_rate: u64,
    /// Disk space that uploads leave free: a percentage (at least 256MiB), or a size
    #[arg(long, env = "SGSEND_MIN_FREE", value_name = "SHARE|SIZE", default_value_t)]
    min_free: MinFreeSpace,
    /// Retention of audit records after the end of a transfer; fixed when the store is created
    #[arg(long, env = "SGSEND_RETAIN_AUDIT", value_name = "DURATION", default_value = "90d", value_parser = positive_duration)]
    retain_audit: Duration,
    /// Retention of records of reads; fixed when the store is created [default: 30d or --retain-audit]
    #[arg(long, env = "SGSEND_RETAIN_READS", value_name = "DURATION", value_parser = positive_duration)]
    retain_reads: Option<Duration>,
    /// TLS certificate chain, in PEM. With `serve all`, an admin service on a loopback address stays plain http
    #[arg(long, env = "SGSEND_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the TLS certificate, in PEM
    #[arg(long, env = "SGSEND_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    pub(super) acme: AcmeOptions,
    /// Name of the header with the admin key, and of the session cookie
    #[arg(long, env = "SGSEND_AUTH_NAME", value_name = "NAME", default_value = "x-api-key")]
    auth_name: HeaderName,
    #[command(flatten)]
    pub(super) monitoring: MonitoringOptions,
    #[command(flatten)]
    pub(super) notifications: NotificationArguments,
    #[command(flatten)]
    branding: BrandingArguments,
    /// Whether acknowledged data survives power loss; none is for benchmarks on this machine
    #[arg(long, env = "SGSEND_DURABILITY", value_name = "HOW", default_value = "full")]
    durability: DurabilityName,
    #[arg(skip)]
    one_process: bool,
}

impl CommonArguments {
    /// Returns the server settings, without an admin key.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::new(self.storage()?);
        settings.limits = self.max_size;
        settings.retention = self.retention()?;
        self.proxies.apply(&mut settings);
        settings.rate = self.rate_limit.unwrap_or_default();
        settings.egress_limit = self.egress_limit;
        settings.allow_origins.clone_from(&self.allow_origin);
        settings.min_free = self.min_free;
        if let Some(timeout) = self.body_idle_timeout {
            (settings.timeouts.stall, settings.timeouts.response_stall) = (timeout, Some(timeout));
        }
        settings.timeouts.drain = self.drain_timeout;
        settings.timeouts.min_rate = self.min_body_rate;
        settings.public_url.clone_from(&self.public_url);
        settings.admin_url.clone_from(&self.admin_url);
        settings.auth_name = self.auth_name.clone();
        settings.ip_mode = self.ip_mode.into();
        if self.no_bytes_fallback && matches!(&settings.storage, StorageLocation::S3(location) if location.bytes_only) {
            let failure = Failure::usage("--no-bytes-fallback and flow=bytes leave no way for payloads");
            return Err(failure.hint("omit one of them"));
        }
        settings.bytes_fallback = !self.no_bytes_fallback;
        settings.durability = if self.loses_data() { Durability::None } else { Durability::Full };
        settings.plain_loopback_admin = self.one_process;
        self.monitoring.apply(&mut settings);
        self.branding.apply(&mut settings)?;
        if let (Some(certificate), Some(key)) = (self.tls_cert.clone(), self.tls_key.clone()) {
            settings.tls = Some(TlsFiles { certificate, key });
        }
        Ok(settings)
    }

    /// Returns the retention of audit records.
    ///
    /// # Errors
    /// Reads must not be kept longer than changes.
    fn retention(&self) -> Result<Retention, Failure> {
        if self.retain_reads.is_some_and(|reads| reads > self.retain_audit) {
            let failure = Failure::usage("--retain-reads must not be longer than --retain-audit");
            return Err(failure.hint("shorten --retain-reads, or lengthen --retain-audit"));
        }
        Ok(Retention::new(self.retain_audit, self.retain_reads))
    }

    /// Returns whether `--trusted-proxy` seems to be missing. That is likely if the public URL is not loopback, and no
    /// proxy is named.
    pub(super) fn seems_proxied(&self) -> bool {
        self.proxies.names_none() && self.public_url.as_ref().is_some_and(|base_url| !base_url.is_loopback())
    }

    /// Returns the path of the configuration file.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// Returns the permissions of Unix sockets.
    pub(super) const fn socket_mode(&self) -> SocketMode {
        self.socket_mode
    }

    /// Returns whether power loss can destroy acknowledged data.
    pub(super) fn loses_data(&self) -> bool {
        self.durability == DurabilityName::None
    }

    fn storage(&self) -> Result<StorageLocation, Failure> {
        let own = || paths::data_directory().map(|folder| StorageLocation::File(folder.join("store")));
        let storage = self.storage.clone().or_else(own).ok_or_else(|| {
            Failure::usage("this user has no data directory").hint("name a folder with --storage file:FOLDER")
        })?;
        match self.s3.apply(storage)? {
            storage if !storage.is_persistent() && !self.one_process => {
                let failure = Failure::usage(
                    "a memory: storage exists in one process only, so the other service could not use it",
                );
                Err(failure.hint("use `sgsend serve all`, or --storage file:FOLDER"))
            }
            location => Ok(location),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        common: CommonArguments,
    }

    #[test]
    fn options_default_to_the_servers_defaults() {
        let options = Options::parse_from(["serve", "--storage", "file:/store"]);
        let settings = options.common.settings().unwrap_or_else(|_| panic!("the options are valid"));
        let defaults = Settings::new(settings.storage.clone());
        assert_eq!(settings.limits, defaults.limits);
        assert_eq!(settings.retention, defaults.retention);
        assert_eq!(settings.min_free, defaults.min_free);
        assert_eq!(settings.ip_mode, defaults.ip_mode);
        assert_eq!(settings.rate, defaults.rate);
        assert_eq!(settings.auth_name, defaults.auth_name);
        assert_eq!(settings.durability, defaults.durability);
        assert_eq!(settings.bytes_fallback, defaults.bytes_fallback);
        assert_eq!(settings.client_address.header, defaults.client_address.header);
        assert_eq!(settings.timeouts, defaults.timeouts);
    }

    #[test]
    fn payloads_have_a_way() {
        let settings =
            |storage| Options::parse_from(["serve", "--storage", storage, "--no-bytes-fallback"]).common.settings();
        if cfg!(feature = "s3") {
            assert!(settings("s3://bucket").is_ok());
            assert!(settings("s3://bucket?flow=bytes").is_err_and(|failure| failure.message.contains("flow=bytes")));
        }
    }

    #[test]
    fn idle_timeout_and_minimum_rate_apply_to_uploads_and_downloads() {
        let arguments = ["serve", "--storage", "file:/store", "--body-idle-timeout", "90s", "--min-body-rate", "0"];
        let settings = Options::parse_from(arguments).common.settings();
        let timeouts = settings.unwrap_or_else(|_| panic!("the options are valid")).timeouts;
        let expected = Duration::from_secs(90);
        assert_eq!((timeouts.stall, timeouts.response_stall, timeouts.min_rate), (expected, Some(expected), 0));
        for wrong in [["--body-idle-timeout", "0s"], ["--min-body-rate", "fast"]] {
            assert!(Options::try_parse_from(["serve"].iter().chain(&wrong)).is_err(), "{wrong:?}");
        }
    }
}
