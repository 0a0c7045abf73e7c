//! Private keys of people.

use std::fmt;

use ssh_key::private::PrivateKey;
use ssh_key::{Algorithm, LineEnding};

use super::identity_file::InvalidIdentity;
use super::plugin::Plugins;
use super::recipient::RecipientKey;

/// Private key that opens what was wrapped for its public key. Has no text form, since it is secret.
pub struct IdentityKey {
    recipient: RecipientKey,
    key: Box<dyn age::Identity + Send + Sync>,
    is_of_plugin: bool,
}

impl IdentityKey {
    /// Returns the public key.
    #[must_use]
    pub const fn recipient(&self) -> &RecipientKey {
        &self.recipient
    }

    /// Returns whether a plugin unwraps for the key, which may need something of the user.
    pub(super) const fn is_of_plugin(&self) -> bool {
        self.is_of_plugin
    }

    /// Returns the key as age uses it.
    pub(super) fn as_age(&self) -> &dyn age::Identity {
        &*self.key
    }

    /// Creates an identity from an X25519 key of age.
    pub(super) fn of_x25519(key: age::x25519::Identity) -> Self {
        Self { recipient: RecipientKey::of_x25519(key.to_public()), key: Box::new(key), is_of_plugin: false }
    }

    /// Creates an identity of a plugin, with the public key that its file names.
    ///
    /// # Errors
    /// [`InvalidIdentity::Plugin`] without the program.
    pub(super) fn of_plugin(
        identity: &age::plugin::Identity,
        recipient: RecipientKey,
        plugins: &Plugins,
    ) -> Result<Self, InvalidIdentity> {
        let plugin = plugins.of_identity(identity)?;
        Ok(Self { recipient, key: Box::new(plugin), is_of_plugin: true })
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
        Ok(Self { recipient, key: Box::new(parsed), is_of_plugin: false })
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey of {}", self.recipient)
    }
}
