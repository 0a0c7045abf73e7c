//! Responses to the challenge tls-alpn-01 (RFC 8737), by which an ACME server validates a domain.
//!
//! The digest of a pending challenge is also in a file of the cache, so that each process over the cache can respond: the
//! validation may reach another one than the process that orders.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::{fmt, io};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::cache::Cache;
use super::settings::AcmeDomain;

/// Protocol in the ALPN of a validation (RFC 8737, 6.2).
pub(crate) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// Returns whether a handshake is the validation of a domain: its only protocol is `acme-tls/1`.
pub(crate) fn is_challenge(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut protocols| protocols.next() == Some(CHALLENGE_PROTOCOL) && protocols.next().is_none())
}

/// Certificates for pending validations.
pub(crate) struct Challenges {
    /// Domains that are validated; no file is read or written for any other.
    domains: Vec<AcmeDomain>,
    cache: Cache,
    provider: Arc<CryptoProvider>,
    /// Certificates for the validations of this process's order, by domain.
    pending: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges")
    }
}

impl Challenges {
    pub(super) fn new(domains: Vec<AcmeDomain>, cache: Cache, provider: Arc<CryptoProvider>) -> Self {
        Self { domains, cache, provider, pending: Mutex::default() }
    }

    /// Returns the certificate for the validation of a domain; `None` if no process expects one.
    ///
    /// Reads a file of at most 32 bytes if this process expects none.
    pub(crate) fn certificate_for(&self, domain: &str) -> Option<Arc<CertifiedKey>> {
        let domain = domain.to_ascii_lowercase();
        if let Some(certificate) = self.pending().get(&domain) {
            return Some(certificate.clone());
        }
        let domain = self.configured(&domain)?;
        let digest = self.cache.pending_challenge(domain)?;
        certificate(domain.as_str(), &digest, &self.provider).ok().map(Arc::new)
    }

    /// Answers validations of `domain`, until the result is dropped.
    ///
    /// `digest`: the SHA-256 digest of the key authorisation (RFC 8555, 8.1).
    pub(super) fn answer(self: &Arc<Self>, domain: &str, digest: &[u8]) -> Result<PendingChallenge, ChallengeError> {
        let configured = self.configured(domain).ok_or_else(|| ChallengeError::Unexpected(domain.to_owned()))?;
        let certificate = Arc::new(certificate(domain, digest, &self.provider)?);
        self.cache.save_challenge(configured, digest).map_err(ChallengeError::Save)?;
        self.pending().insert(domain.to_owned(), certificate);
        Ok(PendingChallenge { challenges: self.clone(), domain: configured.clone() })
    }

    fn configured(&self, domain: &str) -> Option<&AcmeDomain> {
        self.domains.iter().find(|configured| configured.as_str() == domain)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.pending.lock().expect("the lock is never poisoned")
    }
}

/// The reasons why a challenge cannot be answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChallengeError {
    #[error("cannot create the certificate of a challenge")]
    Create(#[from] rcgen::Error),
    #[error("cannot use the certificate of a challenge")]
    Use(#[from] rustls::Error),
    #[error("cannot write in the ACME cache")]
    Save(#[source] io::Error),
    #[error("the ACME server asks for the validation of {0}, which was not ordered")]
    Unexpected(String),
}

/// Validation that is answered until this is dropped.
#[must_use]
pub(super) struct PendingChallenge {
    challenges: Arc<Challenges>,
    domain: AcmeDomain,
}

impl Drop for PendingChallenge {
    fn drop(&mut self) {
        self.challenges.pending().remove(self.domain.as_str());
        self.challenges.cache.remove_challenge(&self.domain);
    }
}

/// Creates the self-signed certificate of RFC 8737, 3.
///
/// The domain is its only name, and the digest is in an extension.
fn certificate(domain: &str, digest: &[u8], provider: &CryptoProvider) -> Result<CertifiedKey, ChallengeError> {
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Without the comparison of `CertifiedKey::from_der`, which cannot parse the critical extension.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], provider.key_provider.load_private_key(key)?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::settings::AcmeSettings;
    use super::*;

    /// Returns the challenges of two processes over one cache.
    fn processes(folder: &Path) -> [Arc<Challenges>; 2] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let settings = AcmeSettings {
            domains: vec!["send.example.org".parse().unwrap()],
            contact: Vec::new(),
            directory: "https://acme.example/dir".parse().unwrap(),
            cache: folder.to_owned(),
            extra_roots: None,
        };
        let cache = Cache::new(&settings);
        drop(cache.lock().unwrap());
        [(); 2].map(|()| Arc::new(Challenges::new(settings.domains.clone(), cache.clone(), provider.clone())))
    }

    /// Returns whether the extension of a challenge's certificate is critical, and its digest.
    fn digest(certificate: &CertifiedKey) -> (bool, Vec<u8>) {
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate.cert[0]).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap().value.general_names.len();
        assert_eq!(names, 1);
        // id-pe-acmeIdentifier.
        let extension =
            parsed.extensions().iter().find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        (extension.critical, extension.value.to_vec())
    }

    #[test]
    fn a_challenge_is_answered_by_each_process_while_it_is_pending() {
        let folder = tempfile::tempdir().unwrap();
        let processes = processes(folder.path());
        let pending = processes[0].answer("send.example.org", &[7; 32]).unwrap();
        for challenges in &processes {
            assert!(challenges.certificate_for("other.example.org").is_none());
            assert!(challenges.certificate_for("../send.example.org").is_none());
            // The digest is an OCTET STRING (tag 4, length 32).
            let expected = (true, [&[4, 32][..], &[7; 32]].concat());
            assert_eq!(digest(&challenges.certificate_for("Send.example.org").unwrap()), expected);
        }
        drop(pending);
        assert!(processes.iter().all(|challenges| challenges.certificate_for("send.example.org").is_none()));
    }

    #[test]
    fn a_domain_that_was_not_ordered_is_not_validated() {
        let folder = tempfile::tempdir().unwrap();
        let [challenges, _] = processes(folder.path());
        for domain in ["other.example.org", "../../outside", "Send.example.org"] {
            assert!(matches!(challenges.answer(domain, &[7; 32]), Err(ChallengeError::Unexpected(_))), "{domain}");
        }
        assert!(challenges.certificate_for("other.example.org").is_none());
    }

    #[test]
    fn challenges_of_killed_processes_end_with_the_next_order() {
        let folder = tempfile::tempdir().unwrap();
        let [killed, next] = processes(folder.path());
        std::mem::forget(killed.answer("send.example.org", &[7; 32]).unwrap());
        assert!(next.certificate_for("send.example.org").is_some());
        drop(next.cache.lock().unwrap());
        assert!(next.certificate_for("send.example.org").is_none());
    }
}
