//! What an operator decides, as validated values.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderName;

use super::admin_key::AdminKey;
use super::client_address::ClientAddress;
use super::cors::AllowedOrigin;
use super::rate::RateLimit;
use super::store::{Durability, InvalidLocation, S3Location};
use crate::domain::audit::{IpMode, WriteMode};
use crate::domain::limits::Limits;
use crate::domain::room::MinFree;
use crate::domain::root::ServerRoot;

/// How long audit records stay after a transfer's end, unless the operator says otherwise.
pub const DEFAULT_RETENTION: Duration = Duration::from_hours(24 * 90);

/// Everything that a server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where things are kept.
    pub storage: StorageLocation,
    /// Whether what is kept survives power loss.
    pub durability: Durability,
    /// What is accepted.
    pub limits: Limits,
    /// What is kept of addresses.
    pub ip_mode: IpMode,
    /// Where the addresses of clients are taken from.
    pub client_address: ClientAddress,
    /// How many requests an address, or a sender token, may make.
    pub rate: Rate,
    /// The origins whose pages may call the public service.
    pub allow_origins: Vec<AllowedOrigin>,
    /// The public service as its users reach it, where it is told.
    pub public_url: Option<ServerRoot>,
    /// How long a new store keeps audit records after a transfer's end.
    pub retain_audit: Duration,
    /// How much room uploads leave on the disk of a store in a folder.
    pub min_free: MinFree,
    /// When records of reads and refusals are written.
    pub audit: WriteMode,
    /// How long clients may take.
    pub patience: Patience,
    /// Whether payloads may come and go through this service where clients could also reach the payload store.
    pub bytes_fallback: bool,
    /// Certificate and key, for TLS.
    pub tls: Option<TlsFiles>,
    /// The name of the header and of the cookie that carry the admin key.
    pub auth_name: HeaderName,
    /// The admin key; the admin service does not start without one.
    pub admin_key: Option<AdminKey>,
}

impl Settings {
    /// The defaults, over `storage`.
    #[must_use]
    pub fn new(storage: StorageLocation) -> Self {
        Self {
            storage,
            durability: Durability::Full,
            limits: Limits::default(),
            ip_mode: IpMode::default(),
            client_address: ClientAddress::default(),
            rate: Rate::default(),
            allow_origins: Vec::new(),
            public_url: None,
            retain_audit: DEFAULT_RETENTION,
            min_free: MinFree::default(),
            audit: WriteMode::default(),
            patience: Patience::default(),
            bytes_fallback: true,
            tls: None,
            auth_name: HeaderName::from_static("x-api-key"),
            admin_key: None,
        }
    }
}

/// Whether requests are limited in number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rate {
    /// To [`RateLimit::default`], unless only this machine reaches the service: on a loopback address, while nothing says
    /// that a proxy stands before it.
    #[default]
    WhereReachable,
    /// To this many.
    Limited(RateLimit),
    /// They are not.
    Unlimited,
}

impl Rate {
    /// The limit of a service that listens on a loopback address, or not.
    #[must_use]
    pub fn limit(self, loopback: bool, proxied: bool) -> Option<RateLimit> {
        match self {
            Self::WhereReachable => (!loopback || proxied).then(RateLimit::default),
            Self::Limited(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

/// Where things are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageLocation {
    /// In this process, as long as it lives.
    Memory,
    /// In a folder of this machine.
    File(PathBuf),
    /// In a bucket.
    S3(S3Location),
}

/// A text that names no storage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStorage {
    /// It is of no known kind.
    #[error("storage is file: and a folder, s3:// and a bucket, or memory:")]
    Kind,
    /// It names a bucket in a way that cannot be read.
    #[error(transparent)]
    S3(#[from] InvalidLocation),
}

impl FromStr for StorageLocation {
    type Err = InvalidStorage;

    fn from_str(text: &str) -> Result<Self, InvalidStorage> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("file", folder)) if !folder.is_empty() => Ok(Self::File(folder.into())),
            Some(("s3", _)) => Ok(Self::S3(text.parse()?)),
            _ => Err(InvalidStorage::Kind),
        }
    }
}

/// Certificate and key in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How many silences an answer may stand: between two of its pieces lies what the system buffers for a slow line.
const BODY_PATIENCE: u32 = 10;

/// How long clients may take, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a TLS handshake, and for the head of a request once the connection waits for one.
    pub head: Duration,
    /// For the next bytes of a body, or for room to send the next bytes of an answer; and how much waiting for a body
    /// adds up before its rate is looked at.
    pub silence: Duration,
    /// The least rate of a body, in bytes a second, over the time that was spent waiting for it, or for it to be taken.
    pub least_rate: u64,
    /// For requests under way when the server is told to stop.
    pub drain: Duration,
    /// Open connections of one listener; further ones wait to be accepted. Fewer where this process may have too few
    /// descriptors for them.
    pub connections: usize,
}

impl Patience {
    /// For the next piece of an answer to be taken.
    pub(super) fn for_bodies(&self) -> Duration {
        self.silence * BODY_PATIENCE
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            silence: Duration::from_secs(30),
            least_rate: 1024,
            drain: Duration::from_secs(10),
            connections: 8_192,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_limited_by_default_wherever_others_can_ask() {
        let limit = |rate: Rate, loopback, proxied| rate.limit(loopback, proxied);
        assert_eq!(limit(Rate::default(), true, false), None);
        for (loopback, proxied) in [(true, true), (false, false), (false, true)] {
            assert_eq!(limit(Rate::default(), loopback, proxied), Some(RateLimit::default()));
            assert_eq!(limit(Rate::Unlimited, loopback, proxied), None);
        }
        let few: RateLimit = "1/s".parse().unwrap();
        assert_eq!(limit(Rate::Limited(few), true, false), Some(few));
    }

    #[test]
    fn storage_is_read_from_text() {
        assert_eq!("memory:".parse(), Ok(StorageLocation::Memory));
        assert_eq!("file:/srv/sgsend".parse(), Ok(StorageLocation::File("/srv/sgsend".into())));
        for bad in ["", "memory", "memory:x", "file:", "/srv/sgsend", "http://example.org"] {
            assert_eq!(bad.parse::<StorageLocation>(), Err(InvalidStorage::Kind), "{bad:?} was accepted");
        }
        assert!(matches!("s3://bucket/prefix".parse(), Ok(StorageLocation::S3(_))));
        assert_eq!("s3:".parse::<StorageLocation>(), Err(InvalidStorage::S3(InvalidLocation::Form)));
    }
}
