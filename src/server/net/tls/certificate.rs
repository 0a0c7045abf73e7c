//! Certificate and key files: loading, change detection, and expiry.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::domain::timestamp::Timestamp;
use crate::server::settings::TlsFiles;

/// Maximum remaining lifetime at which a certificate is reported: 14 days.
///
/// Certificates of 90 days are usually renewed 30 days before their end.
const MAX_EXPIRY_NOTICE: Duration = Duration::from_hours(14 * 24);
/// Share of its lifetime at which a shorter-lived certificate is reported, as a divisor.
const EXPIRY_NOTICE_DIVISOR: u32 = 5;

/// The reasons why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read.
    #[error("cannot read the TLS certificate {0}")]
    Certificate(String, #[source] rustls_pki_types::pem::Error),
    /// The key file cannot be read.
    #[error("cannot read the TLS key {0}")]
    Key(String, #[source] rustls_pki_types::pem::Error),
    /// Certificate and key do not match, or are of an unsupported kind.
    #[error("cannot use the TLS certificate and key")]
    Pair(#[source] rustls::Error),
}

/// Certificate chain with its key, as loaded from files.
pub(super) struct LoadedCertificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) validity: Option<Validity>,
}

impl LoadedCertificate {
    /// Loads a certificate chain and its key.
    pub(super) fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let unreadable = |error| TlsError::Certificate(files.certificate.display().to_string(), error);
        let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(unreadable)?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unreadable)?;
        if chain.is_empty() {
            return Err(TlsError::Pair(rustls::Error::NoCertificatesPresented));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| TlsError::Key(files.key.display().to_string(), error))?;
        let validity = chain.first().and_then(|certificate| Validity::of(certificate));
        let key = CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)?;
        Ok(Self { key: Arc::new(key), validity })
    }
}

/// Period in which clients accept a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Timestamp,
}

impl Validity {
    /// Reads the validity of a certificate (RFC 5280, 4.1.2.5); `None` if the certificate cannot be parsed.
    fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let at = |seconds: i64| Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000));
        let validity = certificate.validity();
        Some(Self { starts_at: at(validity.not_before.timestamp()), ends_at: at(validity.not_after.timestamp()) })
    }

    /// Returns whether the certificate has expired, or expires so soon that its renewal seems to fail.
    pub(crate) fn is_ending(&self, now: Timestamp) -> bool {
        let lifetime = self.ends_at.since(self.starts_at);
        self.ends_at.since(now) <= MAX_EXPIRY_NOTICE.min(lifetime / EXPIRY_NOTICE_DIVISOR)
    }
}

/// State of the two files, for noticing a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamps([FileStamp; 2]);

/// Inode, length, and times of the last modification and change of a file.
type FileStamp = (u64, u64, Option<SystemTime>, i64, i64);

impl FileStamps {
    /// Reads the stamps of the files that the paths lead to, through symbolic links.
    ///
    /// # Errors
    /// A file does not exist or cannot be reached.
    pub(super) fn of(files: &TlsFiles) -> io::Result<Self> {
        Ok(Self([stamp(&files.certificate)?, stamp(&files.key)?]))
    }
}

fn stamp(path: &Path) -> io::Result<FileStamp> {
    let found = path.metadata()?;
    let (inode, seconds, nanoseconds) = identity(&found);
    Ok((inode, found.len(), found.modified().ok(), seconds, nanoseconds))
}

/// Returns the inode of a file, and the time of the last change of its content or attributes.
#[cfg(unix)]
fn identity(file: &Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (file.ino(), file.ctime(), file.ctime_nsec())
}

/// Returns zeros: this system does not tell the identity of a file.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_certificate_is_noticed_in_time() {
        let days = |days: u64| Timestamp::from_millis(0).plus(Duration::from_hours(24 * days));
        let of_days = |count: u64| Validity { starts_at: days(100), ends_at: days(100 + count) };
        let three_months = of_days(90);
        assert!(!three_months.is_ending(days(100 + 75)));
        assert!(three_months.is_ending(days(100 + 76)) && three_months.is_ending(days(500)));
        let a_week = of_days(7);
        assert!(!a_week.is_ending(days(105)) && a_week.is_ending(days(106)));
    }

    #[test]
    fn the_validity_of_a_certificate_is_read() {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 31);
        params.not_after = rcgen::date_time_ymd(2026, 4, 30);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(certificate.der()).unwrap();
        assert_eq!(
            (validity.starts_at.utc(), validity.ends_at.utc()),
            ("2026-01-31 00:00 UTC".to_owned(), "2026-04-30 00:00 UTC".to_owned(),)
        );
        assert_eq!(Validity::of(b"no certificate"), None);
    }
}
