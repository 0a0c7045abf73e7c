//! Keys of senders, and the bytes that they sign.

use std::fmt;
use std::str::FromStr;

use ssh_key::private::PrivateKey;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PublicKey, Signature, SshSig};

/// Namespace of the signatures, so that a signature for another use is never one of a transfer.
pub const NAMESPACE: &str = "sgsend";

/// Public key of a sender: an Ed25519 key of SSH.
///
/// The text is canonical: `ssh-ed25519 AAAA…`, without a comment.
#[derive(Clone, PartialEq, Eq)]
pub struct SenderKey(KeyData);

/// The text is no public key of a sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSenderKey {
    /// The text is no public key of SSH.
    #[error("not a public key of SSH: expected `ssh-ed25519 AAAA…`")]
    Malformed,
    /// The key is no Ed25519 key.
    #[error("keys of the kind {0} cannot sign: use an ssh-ed25519 key")]
    Unsupported(String),
    /// The private key did not sign.
    #[error("the key cannot sign")]
    Unusable,
}

impl SenderKey {
    /// Creates the key from that of the `ssh-key` crate.
    ///
    /// # Errors
    /// [`InvalidSenderKey::Unsupported`] unless it is an Ed25519 key.
    pub fn new(key: &KeyData) -> Result<Self, InvalidSenderKey> {
        match key.algorithm() {
            Algorithm::Ed25519 => Ok(Self(key.clone())),
            other => Err(InvalidSenderKey::Unsupported(other.to_string())),
        }
    }

    /// Returns the fingerprint, as `ssh-keygen -l` prints it: `SHA256:` and base64.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Returns the key as the `ssh-key` crate uses it.
    #[must_use]
    pub const fn as_key_data(&self) -> &KeyData {
        &self.0
    }
}

impl FromStr for SenderKey {
    type Err = InvalidSenderKey;

    /// Parses a public key with an optional comment.
    fn from_str(text: &str) -> Result<Self, InvalidSenderKey> {
        let words = text.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let key = PublicKey::from_openssh(&words).map_err(|_| InvalidSenderKey::Malformed)?;
        Self::new(key.key_data())
    }
}

impl fmt::Display for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&PublicKey::new(self.0.clone(), "").to_openssh().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SenderKey({})", self.fingerprint())
    }
}

/// Returns the bytes that a key, or the agent that holds it, signs for `statement`.
///
/// # Errors
/// [`InvalidSenderKey::Unusable`], which does not occur for a statement of a transfer.
pub fn to_be_signed(statement: &[u8]) -> Result<Vec<u8>, InvalidSenderKey> {
    SshSig::signed_data(NAMESPACE, HashAlg::Sha512, statement).map_err(|_| InvalidSenderKey::Unusable)
}

/// Returns the SSHSIG in PEM form with a signature over the bytes of [`to_be_signed`].
///
/// # Errors
/// [`InvalidSenderKey::Unusable`] for a signature of another kind.
pub fn sshsig_of(key: &SenderKey, signature: Signature) -> Result<String, InvalidSenderKey> {
    let sshsig = SshSig::new(key.0.clone(), NAMESPACE, HashAlg::Sha512, signature);
    let pem = sshsig.and_then(|sshsig| sshsig.to_pem(LineEnding::LF));
    pem.map_err(|_| InvalidSenderKey::Unusable)
}

/// Signs `statement` with a private key; returns the SSHSIG in PEM form.
///
/// # Errors
/// [`InvalidSenderKey::Unusable`] if the key is encrypted or no Ed25519 key.
pub fn sign_with_key(key: &PrivateKey, statement: &[u8]) -> Result<String, InvalidSenderKey> {
    let sshsig = key.sign(NAMESPACE, HashAlg::Sha512, statement);
    let pem = sshsig.and_then(|sshsig| sshsig.to_pem(LineEnding::LF));
    pem.map_err(|_| InvalidSenderKey::Unusable)
}
