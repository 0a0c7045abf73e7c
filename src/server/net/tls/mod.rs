//! TLS of listeners. Certificates are loaded again when their files change, or obtained by ACME.

pub(crate) mod acme;
mod certificate;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use self::acme::{Acme, AcmeSettings, Challenges, is_challenge};
pub use self::certificate::TlsError;
use self::certificate::{FileStamps, LoadedCertificate};
use crate::domain::crypto::certificate::Validity;
use crate::domain::error::chain;
use crate::server::settings::{Settings, TlsFiles};

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
    acme: Option<Acme>,
}

impl Tls {
    /// Sets up TLS as the settings say; `None` for plain HTTP.
    ///
    /// # Errors
    /// [`TlsError`] if configured files cannot be used. Files of an ACME cache may be missing or unusable.
    pub(crate) fn open(settings: &Settings) -> Result<Option<Self>, TlsError> {
        match (&settings.acme, &settings.tls) {
            (Some(acme), _) => Self::with_acme(acme).map(Some),
            (None, Some(files)) => Self::load(files).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Loads certificate and key, with HTTP/2 and HTTP/1.1 in ALPN.
    ///
    /// # Errors
    /// [`TlsError`] if the files cannot be used.
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let this = Self::new(files.clone(), None, provider())?;
        this.reload_if_changed()?;
        Ok(this)
    }

    /// Loads the certificate of an ACME cache, if there is one.
    fn with_acme(settings: &AcmeSettings) -> Result<Self, TlsError> {
        let provider = provider();
        let acme = Acme::new(settings.clone(), provider.clone());
        let this = Self::new(acme.files(), Some(acme), provider)?;
        if let Err(error) = this.reload_if_changed() {
            tracing::error!(error = %chain(&error), "cannot use the certificate in the ACME cache");
        }
        Ok(this)
    }

    fn new(files: TlsFiles, acme: Option<Acme>, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let challenges = acme.as_ref().map(Acme::challenges);
        let is_acme = challenges.is_some();
        let current = Arc::new(CurrentCertificate { certificate: RwLock::default(), challenges });
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if is_acme {
            config.alpn_protocols.push(acme::CHALLENGE_PROTOCOL.to_vec());
        }
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files, provider, acceptor, current, loaded: Mutex::default(), acme })
    }

    /// Returns the acceptor of connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Returns what obtains the certificate; `None` if its files are configured.
    pub(crate) const fn acme(&self) -> Option<&Acme> {
        self.acme.as_ref()
    }

    /// Returns the validity of the current certificate; `None` if there is none, or it cannot be parsed.
    pub(crate) fn validity(&self) -> Option<Validity> {
        self.with_current(|current| current.and_then(|certificate| certificate.validity))
    }

    /// Loads the files at the next check even if they are unchanged. A failed ACME order is tried again at once.
    pub(crate) fn expect_change(&self) {
        *self.loaded() = None;
        if let Some(acme) = &self.acme {
            acme.retry_now();
        }
    }

    /// Loads the files if they have changed. Returns whether there is a new certificate.
    ///
    /// # Errors
    /// [`TlsError`] if the files cannot be used: the current certificate stays, and the next check loads again. Programs
    /// replace the two files one after the other, so that they do not match for a moment.
    pub(crate) fn reload_if_changed(&self) -> Result<bool, TlsError> {
        // Read before the content: a change in between is noticed at the next check.
        let stamps = FileStamps::of(&self.files);
        let is_missing = stamps.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if self.acme.is_some() && is_missing {
            return Ok(false);
        }
        let stamps = stamps.ok();
        let mut loaded = self.loaded();
        if stamps.is_some() && *loaded == stamps {
            return Ok(false);
        }
        *loaded = None;
        let certificate = LoadedCertificate::load(&self.files, &self.provider)?;
        *loaded = stamps;
        self.set_current(certificate);
        Ok(true)
    }

    /// Uses a certificate that was just written to the files.
    fn install(&self, certificate: LoadedCertificate) {
        let mut loaded = self.loaded();
        *loaded = FileStamps::of(&self.files).ok();
        self.set_current(certificate);
    }

    fn with_current<T>(&self, read: impl FnOnce(Option<&LoadedCertificate>) -> T) -> T {
        read(self.current.certificate.read().expect("the lock is never poisoned").as_ref())
    }

    fn set_current(&self, certificate: LoadedCertificate) {
        *self.current.certificate.write().expect("the lock is never poisoned") = Some(certificate);
    }

    fn loaded(&self) -> MutexGuard<'_, Option<FileStamps>> {
        self.loaded.lock().expect("the lock is never poisoned")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The certificate that new connections get. Without one, handshakes are refused.
struct CurrentCertificate {
    certificate: RwLock<Option<LoadedCertificate>>,
    /// Certificates for the ACME server's validation of domains.
    challenges: Option<Arc<Challenges>>,
}

impl fmt::Debug for CurrentCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurrentCertificate")
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(challenges) = &self.challenges
            && is_challenge(&hello)
        {
            return challenges.certificate_for(hello.server_name()?);
        }
        let certificate = self.certificate.read().expect("the lock is never poisoned");
        certificate.as_ref().map(|certificate| certificate.key.clone())
    }
}

#[cfg(test)]
mod tests;
