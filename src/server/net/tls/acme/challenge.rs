//! Responses to the challenge tls-alpn-01 (RFC 8737), by which an ACME server validates a domain.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Protocol in the ALPN of a validation (RFC 8737, 6.2).
pub(crate) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// Returns whether a handshake is the validation of a domain: its only protocol is `acme-tls/1`.
pub(crate) fn is_challenge(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut protocols| protocols.next() == Some(CHALLENGE_PROTOCOL) && protocols.next().is_none())
}

/// Certificates for pending validations, by domain.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<HashMap<String, Arc<CertifiedKey>>>);

impl Challenges {
    /// Returns the certificate for the validation of a domain; `None` if none is pending.
    pub(crate) fn certificate_for(&self, domain: &str) -> Option<Arc<CertifiedKey>> {
        self.pending().get(&domain.to_ascii_lowercase()).cloned()
    }

    /// Answers validations of `domain`, until the result is dropped.
    ///
    /// `digest`: the SHA-256 digest of the key authorisation (RFC 8555, 8.1).
    pub(super) fn answer(
        self: &Arc<Self>,
        domain: &str,
        digest: &[u8],
        provider: &CryptoProvider,
    ) -> Result<PendingChallenge, ChallengeError> {
        let certificate = Arc::new(certificate(domain, digest, provider)?);
        self.pending().insert(domain.to_owned(), certificate);
        Ok(PendingChallenge { challenges: self.clone(), domain: domain.to_owned() })
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

/// The certificate of a challenge cannot be created.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChallengeError {
    #[error("cannot create the certificate of a challenge")]
    Create(#[from] rcgen::Error),
    #[error("cannot use the certificate of a challenge")]
    Use(#[from] rustls::Error),
}

/// Validation that is answered until this is dropped.
#[must_use]
pub(super) struct PendingChallenge {
    challenges: Arc<Challenges>,
    domain: String,
}

impl Drop for PendingChallenge {
    fn drop(&mut self) {
        self.challenges.pending().remove(&self.domain);
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
    use super::*;

    #[test]
    fn a_challenge_is_answered_while_it_is_pending() {
        let (challenges, provider) = (Arc::<Challenges>::default(), rustls::crypto::aws_lc_rs::default_provider());
        let pending = challenges.answer("send.example.org", &[7; 32], &provider).unwrap();
        assert!(challenges.certificate_for("other.example.org").is_none());
        let certificate = challenges.certificate_for("Send.example.org").unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate.cert[0]).unwrap();
        // id-pe-acmeIdentifier, with the digest as an OCTET STRING (tag 4, length 32).
        let extension =
            parsed.extensions().iter().find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31");
        assert_eq!(
            extension.map(|found| (found.critical, found.value)),
            Some((true, &[&[4, 32][..], &[7; 32]].concat()[..]))
        );
        let names = parsed.subject_alternative_name().unwrap().unwrap().value.general_names.len();
        assert_eq!(names, 1);
        drop(pending);
        assert!(challenges.certificate_for("send.example.org").is_none());
    }
}
