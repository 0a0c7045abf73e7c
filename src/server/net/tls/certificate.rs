//! Certificates with their keys: loading from files, names, and change detection.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use webpki::EndEntityCert;

use super::acme::AcmeDomain;
use crate::domain::crypto::certificate::Validity;
use crate::server::settings::TlsFiles;

/// The reasons why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read.
    #[error("cannot read the TLS certificate {0}")]
    Certificate(String, #[source] pem::Error),
    /// The key file cannot be read.
    #[error("cannot read the TLS key {0}")]
    Key(String, #[source] pem::Error),
    /// Certificate and key do not match, or are of an unsupported kind.
    #[error("cannot use the TLS certificate and key")]
    Pair(#[source] rustls::Error),
}

/// Certificate chain with its key.
pub(super) struct LoadedCertificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) validity: Option<Validity>,
}

impl LoadedCertificate {
    /// Loads a certificate chain and its key from their files.
    pub(super) fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let unreadable = |error| TlsError::Certificate(files.certificate.display().to_string(), error);
        let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(unreadable)?;
        let chain = chain.collect::<Result<_, _>>().map_err(unreadable)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| TlsError::Key(files.key.display().to_string(), error))?;
        Self::new(chain, key, provider)
    }

    /// Parses a text with a key and its certificate chain, in PEM. `source` names the text in errors.
    pub(super) fn parse(text: &str, source: &str, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let unreadable = |error| TlsError::Certificate(source.to_owned(), error);
        let chain = CertificateDer::pem_slice_iter(text.as_bytes());
        let chain = chain.collect::<Result<_, _>>().map_err(unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes());
        Self::new(chain, key.map_err(|error| TlsError::Key(source.to_owned(), error))?, provider)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        if chain.is_empty() {
            return Err(TlsError::Pair(rustls::Error::NoCertificatesPresented));
        }
        let validity = chain.first().and_then(|certificate| Validity::of(certificate));
        let key = CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)?;
        Ok(Self { key: Arc::new(key), validity })
    }

    /// Returns whether clients accept the certificate for each of these domains.
    pub(super) fn covers(&self, domains: &[AcmeDomain]) -> bool {
        let Some(Ok(certificate)) = self.key.cert.first().map(EndEntityCert::try_from) else { return false };
        let covers = |name| certificate.verify_is_valid_for_subject_name(&name).is_ok();
        domains.iter().all(|domain| ServerName::try_from(domain.as_str()).is_ok_and(covers))
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
