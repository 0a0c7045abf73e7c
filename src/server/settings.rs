//! What an operator decides, as validated values.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderName;

use super::admin_key::AdminKey;
use super::store::{Durability, InvalidLocation, S3Location};
use crate::domain::audit::{IpMode, WriteMode};
use crate::domain::limits::Limits;
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
    /// The public service as its users reach it, where it is told.
    pub public_url: Option<ServerRoot>,
    /// How long a new store keeps audit records after a transfer's end.
    pub retain_audit: Duration,
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
            public_url: None,
            retain_audit: DEFAULT_RETENTION,
            audit: WriteMode::default(),
            patience: Patience::default(),
            bytes_fallback: true,
            tls: None,
            auth_name: HeaderName::from_static("x-api-key"),
            admin_key: None,
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

/// How long clients may take, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a TLS handshake, and for the head of a request once the connection waits for one.
    pub head: Duration,
    /// For the next bytes of a body, or for room to send the next bytes of an answer; and how much waiting for a body
    /// adds up before its rate is looked at.
    pub silence: Duration,
    /// The least rate of a body, in bytes a second, over the time that was spent waiting for it.
    pub least_rate: u64,
    /// For requests under way when the server is told to stop.
    pub drain: Duration,
    /// Open connections of one listener; further ones wait to be accepted.
    pub connections: usize,
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
