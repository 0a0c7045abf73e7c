use std::fs;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;

/// Certificate and key in files, which another pair can replace.
struct Files {
    folder: TempDir,
    files: TlsFiles,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        Self { folder, files }
    }

    /// Creates a self-signed certificate; returns it in DER and in PEM, and its key in PEM.
    fn pair() -> (Vec<u8>, String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        (issuer.der().to_vec(), issuer.pem(), issuer.key().serialize_pem())
    }

    /// Replaces a file as programs do: by a new file with its name.
    fn replace(&self, path: &std::path::Path, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn write(&self, certificate: &str, key: &str) {
        self.replace(&self.files.certificate, certificate);
        self.replace(&self.files.key, key);
    }
}

type Connection = (
    tokio_rustls::client::TlsStream<tokio::io::DuplexStream>,
    tokio_rustls::server::TlsStream<tokio::io::DuplexStream>,
);

/// Connects a client that trusts `certificate`.
async fn connect(tls: &Tls, certificate: &[u8]) -> std::io::Result<Connection> {
    connect_with(tls, certificate, &[]).await
}

/// Connects a client that trusts `certificate`, and offers these protocols.
async fn connect_with(tls: &Tls, certificate: &[u8], protocols: &[&[u8]]) -> std::io::Result<Connection> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let (near, far) = tokio::io::duplex(1 << 16);
    let client = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), near);
    let (client, server) = tokio::join!(client, tls.acceptor().accept(far));
    Ok((client?, server?))
}

#[tokio::test]
async fn new_connections_get_a_new_certificate_and_open_ones_continue() {
    let files = Files::new();
    let ((first, certificate, key), (second, new_certificate, new_key)) = (Files::pair(), Files::pair());
    files.write(&certificate, &key);
    let tls = Tls::load(&files.files).unwrap();
    let (mut client, mut server) = connect(&tls, &first).await.unwrap();
    assert!(!tls.reload_if_changed().unwrap());

    files.write(&new_certificate, &new_key);
    assert!(tls.reload_if_changed().unwrap());
    assert!(!tls.reload_if_changed().unwrap());
    connect(&tls, &second).await.unwrap();
    assert!(connect(&tls, &first).await.is_err());
    client.write_all(b"open").await.unwrap();
    client.flush().await.unwrap();
    let mut read = [0; 4];
    server.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"open");
}

#[tokio::test]
async fn unusable_files_leave_the_certificate_until_they_are_usable() {
    let files = Files::new();
    let ((first, certificate, key), (second, new_certificate, new_key)) = (Files::pair(), Files::pair());
    files.write(&certificate, &key);
    let tls = Tls::load(&files.files).unwrap();
    // The certificate is replaced before its key.
    files.replace(&files.files.certificate, &new_certificate);
    assert!(matches!(tls.reload_if_changed(), Err(TlsError::Pair(_))));
    assert!(tls.reload_if_changed().is_err(), "the files are tried again although they are unchanged");
    connect(&tls, &first).await.unwrap();
    fs::remove_file(&files.files.key).unwrap();
    assert!(matches!(tls.reload_if_changed(), Err(TlsError::Key(..))));
    files.replace(&files.files.certificate, "");
    assert!(tls.reload_if_changed().is_err());
    connect(&tls, &first).await.unwrap();
    files.write(&new_certificate, &new_key);
    assert!(tls.reload_if_changed().unwrap());
    connect(&tls, &second).await.unwrap();
}

#[test]
fn unchanged_files_are_loaded_again_on_request() {
    let files = Files::new();
    let (_, certificate, key) = Files::pair();
    files.write(&certificate, &key);
    let tls = Tls::load(&files.files).unwrap();
    tls.expect_change();
    assert!(tls.reload_if_changed().unwrap());
    assert!(tls.validity().is_some());
}

#[tokio::test]
async fn without_a_certificate_handshakes_are_refused_until_the_cache_has_one() {
    let (folder, (der, certificate, key)) = (tempfile::tempdir().unwrap(), Files::pair());
    let acme = AcmeSettings {
        domains: vec!["localhost".parse().unwrap()],
        contact: Vec::new(),
        directory: "https://acme.example/directory".parse().unwrap(),
        cache: folder.path().to_owned(),
        extra_roots: None,
    };
    let tls = Tls::with_acme(&acme).unwrap();
    assert!(tls.validity().is_none() && !tls.reload_if_changed().unwrap());
    let refused = connect(&tls, &der).await.err().unwrap();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");

    // Another process has obtained a certificate.
    fs::create_dir(tls.files.certificate.parent().unwrap()).unwrap();
    fs::write(&tls.files.certificate, format!("{key}{certificate}")).unwrap();
    assert!(tls.reload_if_changed().unwrap());
    connect(&tls, &der).await.unwrap();
    let (_, server) = connect_with(&tls, &der, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(server.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // Nobody gets the certificate by the protocol of validations, while there is none.
    assert!(connect_with(&tls, &der, &[acme::CHALLENGE_PROTOCOL]).await.is_err());

    // A cache that is removed or damaged leaves the certificate in use.
    fs::write(&tls.files.certificate, "no certificate").unwrap();
    assert!(tls.reload_if_changed().is_err());
    fs::remove_dir_all(folder.path()).unwrap();
    assert!(!tls.reload_if_changed().unwrap());
    connect(&tls, &der).await.unwrap();
}
