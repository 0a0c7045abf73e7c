//! What the command takes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand, ValueEnum};
use http::HeaderName;
use ipnet::IpNet;

use super::{ADMIN_LISTEN, PUBLIC_LISTEN};
use crate::cli::arguments::{listen_address, positive_duration};
use crate::cli::failure::Failure;
use crate::cli::paths;
use crate::cli::s3_options::S3Options;
use crate::cli::store::location::storage;
use crate::domain::address::{TrustedProxies, network};
use crate::domain::audit::{IpMode, ServiceName};
use crate::domain::limits::{LARGEST_MAX_CONTENT_BYTES, Limits};
use crate::domain::room::MinFree;
use crate::domain::root::ServerRoot;
use crate::server::store::Durability;
use crate::server::{AllowedOrigin, InvalidRate, Rate, Settings, StorageLocation, TlsFiles};

/// Run a service.
#[derive(Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    pub(super) which: Which,
}

/// Which services to run.
#[derive(Subcommand)]
pub(super) enum Which {
    /// Run the service for senders and recipients
    Public {
        /// The address to listen on; port 0 takes a free one
        #[arg(long, env = "SGSEND_LISTEN", value_name = "ADDRESS", default_value_t = PUBLIC_LISTEN, value_parser = listen_address)]
        listen: SocketAddr,
        #[command(flatten)]
        common: Common,
    },
    /// Run the service for admins
    Admin {
        /// The address to listen on; port 0 takes a free one
        #[arg(long, env = "SGSEND_LISTEN", value_name = "ADDRESS", default_value_t = ADMIN_LISTEN, value_parser = listen_address)]
        listen: SocketAddr,
        #[command(flatten)]
        common: Common,
    },
    /// Run both services in one process
    All {
        /// The address of the public service; port 0 takes a free one
        #[arg(long, env = "SGSEND_LISTEN", value_name = "ADDRESS", default_value_t = PUBLIC_LISTEN, value_parser = listen_address)]
        listen: SocketAddr,
        /// The address of the admin service; port 0 takes a free one
        #[arg(long, env = "SGSEND_ADMIN_LISTEN", value_name = "ADDRESS", default_value_t = ADMIN_LISTEN, value_parser = listen_address)]
        admin_listen: SocketAddr,
        #[command(flatten)]
        common: Common,
    },
}

impl Which {
    /// The services with their addresses, and what holds for all of them.
    pub(super) fn split(self) -> (Vec<(ServiceName, SocketAddr)>, Common) {
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

/// What every service takes. Each flag can also be given as SGSEND_ and its name in capitals.
#[derive(Args)]
#[command(next_help_heading = "Service options")]
#[expect(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct Common {
    /// Where to keep things: file:FOLDER, s3://BUCKET/PREFIX, or memory: with `serve all` [default: this user's data folder]
    #[arg(long, env = "SGSEND_STORAGE", value_name = "URL", value_parser = storage)]
    storage: Option<StorageLocation>,
    #[command(flatten)]
    s3: S3Options,
    /// Let payloads come and go by presigned URLs alone, and not through this service
    #[arg(long, env = "SGSEND_NO_BYTES_FALLBACK")]
    no_bytes_fallback: bool,
    /// The public service as its users reach it, for links in answers
    #[arg(long, env = "SGSEND_PUBLIC_URL", value_name = "URL")]
    public_url: Option<ServerRoot>,
    /// The most content in a transfer
    #[arg(long, env = "SGSEND_MAX_SIZE", value_name = "SIZE", default_value = "100MiB", value_parser = limits)]
    max_size: Limits,
    /// What to keep of clients' addresses
    #[arg(long, env = "SGSEND_IP_MODE", value_name = "MODE", default_value = "hashed")]
    ip_mode: IpModeName,
    /// A proxy, or a network of them, that is trusted to name the clients behind it; can be given several times
    #[arg(long, env = "SGSEND_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    trusted_proxy: Vec<IpNet>,
    /// The one header in which trusted proxies name clients: a list, or `forwarded` [default: x-forwarded-for]
    #[arg(long, env = "SGSEND_FORWARDED_HEADER", value_name = "NAME", requires = "trusted_proxy")]
    forwarded_header: Option<HeaderName>,
    /// How many requests an address (IPv6: a /64), or a sender token, may make: off, or N/s:BURST [default: 50/s:500, and off where only this machine can ask]
    #[arg(long, env = "SGSEND_RATE_LIMIT", value_name = "RATE", value_parser = rate)]
    rate_limit: Option<Rate>,
    /// An origin whose pages may call the public service, as browsers write it; can be given several times
    #[arg(long, env = "SGSEND_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<AllowedOrigin>,
    /// How much room uploads leave on the disk: a share, but at least 256MiB, or a size
    #[arg(long, env = "SGSEND_MIN_FREE", value_name = "SHARE|SIZE", default_value = "5%")]
    min_free: MinFree,
    /// How long to keep audit records after a transfer's end; a store keeps what it was made with
    #[arg(long, env = "SGSEND_RETAIN_AUDIT", value_name = "DURATION", default_value = "90d", value_parser = positive_duration)]
    retain_audit: Duration,
    /// The certificate chain for TLS, in PEM
    #[arg(long, env = "SGSEND_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, env = "SGSEND_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The name of the header and cookie that carry the admin key
    #[arg(long, env = "SGSEND_AUTH_NAME", value_name = "NAME", default_value = "x-api-key")]
    auth_name: HeaderName,
    /// Whether what is acknowledged survives power loss; none is for measurements on this machine
    #[arg(long, env = "SGSEND_DURABILITY", value_name = "HOW", default_value = "full")]
    durability: DurabilityName,
    #[arg(skip)]
    one_process: bool,
}

/// `--ip-mode`
#[derive(Clone, Copy, Debug, ValueEnum)]
enum IpModeName {
    /// A pseudonym that can be neither reversed nor linked across days
    Hashed,
    /// The network only: /24 or /48
    Truncated,
    /// Nothing
    None,
    /// The address itself
    Full,
}

/// `--durability`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DurabilityName {
    /// It does
    Full,
    /// It does not
    None,
}

impl Common {
    /// The settings of a server, without an admin key.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::new(self.storage()?);
        settings.limits = self.max_size;
        settings.retain_audit = self.retain_audit;
        settings.client_address.proxies = TrustedProxies::new(self.trusted_proxy.clone());
        if let Some(header) = &self.forwarded_header {
            settings.client_address.header = header.clone();
        }
        settings.rate = self.rate_limit.unwrap_or_default();
        settings.allow_origins.clone_from(&self.allow_origin);
        settings.min_free = self.min_free;
        settings.public_url.clone_from(&self.public_url);
        settings.auth_name = self.auth_name.clone();
        settings.ip_mode = match self.ip_mode {
            IpModeName::Hashed => IpMode::Hashed,
            IpModeName::Truncated => IpMode::Truncated,
            IpModeName::None => IpMode::None,
            IpModeName::Full => IpMode::Full,
        };
        settings.bytes_fallback = !self.no_bytes_fallback;
        settings.durability = if self.loses_data() { Durability::None } else { Durability::Full };
        if let (Some(certificate), Some(key)) = (self.tls_cert.clone(), self.tls_key.clone()) {
            settings.tls = Some(TlsFiles { certificate, key });
        }
        Ok(settings)
    }

    /// Whether others reach the service by a proxy on this machine that is not named.
    pub(super) fn seems_proxied(&self) -> bool {
        self.trusted_proxy.is_empty() && self.public_url.as_ref().is_some_and(|root| !root.is_loopback())
    }

    /// Whether power loss may cost what was acknowledged.
    pub(super) fn loses_data(&self) -> bool {
        self.durability == DurabilityName::None
    }

    fn storage(&self) -> Result<StorageLocation, Failure> {
        let own = || paths::data_directory().map(|folder| StorageLocation::File(folder.join("store")));
        let storage = self.storage.clone().or_else(own).ok_or_else(|| {
            Failure::usage("this user has no data folder").hint("name one with --storage file:FOLDER")
        })?;
        match self.s3.apply(storage)? {
            StorageLocation::Memory if !self.one_process => {
                let failure = Failure::usage("memory: is kept by one process, and the other service could not see it");
                Err(failure.hint("use `sgsend serve all`, or --storage file:FOLDER"))
            }
            location => Ok(location),
        }
    }
}

/// Reads `--rate-limit`.
fn rate(text: &str) -> Result<Rate, InvalidRate> {
    if text == "off" { Ok(Rate::Unlimited) } else { text.parse().map(Rate::Limited) }
}

/// Reads `--max-size`.
fn limits(text: &str) -> Result<Limits, String> {
    let ByteSize(bytes) = text.parse().map_err(|_| "it is written like 500MiB or 2GiB".to_owned())?;
    Limits::with_max_content(bytes)
        .ok_or_else(|| format!("it must be between 1 byte and {}", ByteSize(LARGEST_MAX_CONTENT_BYTES)))
}
