//! Private keys of people.

use std::fmt;

use ssh_key::private::PrivateKey;
use ssh_key::{Algorithm, LineEnding};

use super::identity_file::InvalidIdentity;
use super::recipient::RecipientKey;

/// Private key that opens what was wrapped for its public key. Has no text form, since it is secret.
pub struct IdentityKey {
    recipient: RecipientKey,
    key: Box<dyn age::Identity + Send + Sync>,
}

impl IdentityKey {
    /// Returns the public key.
    #[must_use]
    pub const fn recipient(&self) -> &RecipientKey {
        &self.recipient
    }

    /// Returns the key as age uses it.
    pub(super) fn as_age(&self) -> &dyn age::Identity {
        &*self.key
    }

    /// Creates an identity from an X25519 key of age.
    pub(super) fn of_x25519(key: age::x25519::Identity) -> Self {
        Self { recipient: RecipientKey::of_x25519(key.to_public()), key: Box::new(key) }
    }

    /// Creates an identity from a private key of SSH that is not encrypted.
    ///
    /// # Errors
    /// [`InvalidIdentity::Unsupported`] unless the key is an Ed25519 key.
    pub(super) fn of_ssh(key: &PrivateKey) -> Result<Self, InvalidIdentity> {
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(InvalidIdentity::Unsupported(key.algorithm().to_string()));
        }
        let recipient = RecipientKey::of_ssh(key.public_key()).map_err(|_| InvalidIdentity::Malformed)?;
        let text = key.to_openssh(LineEnding::LF).map_err(|_| InvalidIdentity::Malformed)?;
        let parsed = age::ssh::Identity::from_buffer(text.as_bytes(), None).map_err(|_| InvalidIdentity::Malformed)?;
        Ok(Self { recipient, key: Box::new(parsed) })
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey of {}", self.recipient)
    }
}
