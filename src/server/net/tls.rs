//! TLS configuration from certificate and key files.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::server::settings::TlsFiles;

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

/// Creates the TLS acceptor from certificate and key files, with HTTP/2 and HTTP/1.1 in ALPN.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |error| TlsError::Certificate(files.certificate.display().to_string(), error);
    let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(unreadable)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unreadable)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::Key(files.key.display().to_string(), error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
