//! TLS of listeners, with a certificate that is loaded again when its files change.

mod certificate;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

pub use self::certificate::TlsError;
pub(crate) use self::certificate::Validity;
use self::certificate::{FileStamps, LoadedCertificate};
use crate::server::settings::TlsFiles;

/// TLS of all listeners of a process.
///
/// A new certificate applies to new connections; open ones continue with theirs.
pub(crate) struct Tls {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    acceptor: TlsAcceptor,
    current: Arc<CurrentCertificate>,
    /// State of the files when they were last loaded; `None` to load them at the next check.
    loaded: Mutex<Option<FileStamps>>,
}

impl Tls {
    /// Loads certificate and key, with HTTP/2 and HTTP/1.1 in ALPN.
    ///
    /// # Errors
    /// [`TlsError`] if the files cannot be used.
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let stamps = FileStamps::of(files).ok();
        let certificate = LoadedCertificate::load(files, &provider)?;
        let current = Arc::new(CurrentCertificate(RwLock::new(certificate)));
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files: files.clone(), provider, acceptor, current, loaded: Mutex::new(stamps) })
    }

    /// Returns the acceptor of connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Returns the validity of the current certificate; `None` if the certificate cannot be parsed.
    pub(crate) fn validity(&self) -> Option<Validity> {
        self.current.0.read().expect("the lock is never poisoned").validity
    }

    /// Loads the files at the next check even if they are unchanged.
    pub(crate) fn expect_change(&self) {
        *self.loaded() = None;
    }

    /// Loads the files if they have changed. Returns whether there is a new certificate.
    ///
    /// # Errors
    /// [`TlsError`] if the files cannot be used: the current certificate stays, and the next check loads again. Programs
    /// replace the two files one after the other, so that they do not match for a moment.
    pub(crate) fn reload_if_changed(&self) -> Result<bool, TlsError> {
        // Read before the content: a change in between is noticed at the next check.
        let stamps = FileStamps::of(&self.files).ok();
        let mut loaded = self.loaded();
        if stamps.is_some() && *loaded == stamps {
            return Ok(false);
        }
        *loaded = None;
        let certificate = LoadedCertificate::load(&self.files, &self.provider)?;
        *loaded = stamps;
        *self.current.0.write().expect("the lock is never poisoned") = certificate;
        Ok(true)
    }

    fn loaded(&self) -> MutexGuard<'_, Option<FileStamps>> {
        self.loaded.lock().expect("the lock is never poisoned")
    }
}

/// The certificate that new connections get.
struct CurrentCertificate(RwLock<LoadedCertificate>);

impl fmt::Debug for CurrentCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurrentCertificate")
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().expect("the lock is never poisoned").key.clone())
    }
}

#[cfg(test)]
mod tests;
