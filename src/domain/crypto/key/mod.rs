//! Payload keys, which seal payloads, and link keys, which links contain.

use std::str::FromStr;

use zeroize::Zeroizing;

use super::commitment::Commitment;
use super::hkdf;
use super::link_text::WrappedKey;
use super::passphrase::Passphrase;
use super::proof::AccessProof;
use super::secret_bytes::SecretBytes;
use super::wrap::{DamagedKey, WrappingKey};
use crate::domain::crypto::base64url;
use crate::domain::id::LinkId;

/// The 32-byte secret key of one sealed payload. Each payload has a key of its own.
#[derive(Clone)]
pub struct PayloadKey(SecretBytes);

impl PayloadKey {
    /// Generates a key with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self(SecretBytes::random())
    }

    /// Creates a key from its raw bytes, which are zeroised on drop.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes.into())
    }

    /// Returns the raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// The key in a link's fragment, or the commitment to a key that is wrapped for recipients.
///
/// Text form: a version prefix and 32 bytes in unpadded, canonical base64url. The prefix is `v1.` for the transfer's own
/// link and `v2.` for a further link; `v1p.` or `v2p.` if a passphrase is also required; `to.` for a commitment, which is
/// not secret.
#[derive(Clone)]
pub struct LinkKey {
    version: KeyVersion,
    secret: SecretBytes,
}

/// Kind of link that a key belongs to, and whether a passphrase is required in addition to the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum KeyVersion {
    Own,
    OwnWithPassphrase,
    Further,
    FurtherWithPassphrase,
    Recipients,
}

impl KeyVersion {
    /// All versions.
    pub(in crate::domain) const ALL: [Self; 5] =
        [Self::Own, Self::OwnWithPassphrase, Self::Further, Self::FurtherWithPassphrase, Self::Recipients];

    /// Returns the text before the secret.
    pub(in crate::domain) fn prefix(self) -> &'static str {
        match self {
            Self::Own => "v1.",
            Self::OwnWithPassphrase => "v1p.",
            Self::Further => "v2.",
            Self::FurtherWithPassphrase => "v2p.",
            Self::Recipients => "to.",
        }
    }
}

/// Secret of one link, derived from its key and, if required, its passphrase.
#[derive(Clone)]
pub enum LinkSecret {
    /// Secret of the transfer's own link: the payload key.
    Own(PayloadKey),
    /// Secret of a further link, which unwraps the payload key that the server stores for this link.
    Further(WrappingKey),
}

/// The payload key of a further link cannot be unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// The server gave no wrapped key for the link.
    #[error("the server has no wrapped key for this link")]
    Missing,
    /// The key is that of a transfer's own link, and the link is a further link.
    #[error("the key is not that of this link")]
    Unexpected,
    /// The wrapped key was changed, or belongs to another link or link key.
    #[error(transparent)]
    Damaged(#[from] DamagedKey),
}

impl LinkSecret {
    /// Derives the access proof of the link. That of a further link is not derived from the payload key.
    #[must_use]
    pub fn access_proof(&self) -> AccessProof {
        match self {
            Self::Own(key) => AccessProof::of(key),
            Self::Further(key) => AccessProof::of_link(key),
        }
    }

    /// Returns the payload key, unwrapped from `wrapped` for a further link with the id `link_id`.
    pub fn payload_key(&self, link_id: LinkId, wrapped: Option<&WrappedKey>) -> Result<PayloadKey, UnwrapError> {
        match (self, wrapped) {
            (Self::Own(key), None) => Ok(key.clone()),
            // Before a download is counted: the payload key of a further link never is its link key.
            (Self::Own(_), Some(_)) => Err(UnwrapError::Unexpected),
            (Self::Further(_), None) => Err(UnwrapError::Missing),
            (Self::Further(key), Some(wrapped)) => Ok(wrapped.unwrap(key, link_id)?),
        }
    }

    /// Returns the payload key if this is the secret of the transfer's own link.
    #[must_use]
    pub fn into_own(self) -> Option<PayloadKey> {
        match self {
            Self::Own(key) => Some(key),
            Self::Further(_) => None,
        }
    }
}

/// The text is not a link key. The error does not contain the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The version prefix is none of `v1.`, `v1p.`, `v2.`, `v2p.` and `to.`.
    #[error("unknown key version: a key starts with `v1.`, `v1p.`, `v2.`, `v2p.` or `to.`")]
    Version,
    /// The text after the version prefix is not 43 characters of canonical base64url.
    #[error("the key is incomplete or damaged: expected a version such as `v1.` and 43 characters of base64url")]
    Malformed,
}

/// A required passphrase or identity is missing, or a passphrase is not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The key has version `v1p.` or `v2p.`, but no passphrase was given.
    #[error("the key requires a passphrase")]
    Missing,
    /// The key has version `v1.` or `v2.`, but a passphrase was given.
    #[error("the key does not use a passphrase")]
    Unexpected,
    /// The link has a commitment only: the key is wrapped for recipients.
    #[error("this link is for recipients with keys of their own: its key is wrapped for them")]
    Wrapped,
}

impl LinkKey {
    /// Generates a key of the transfer's own link that needs no passphrase.
    #[must_use]
    pub fn random() -> Self {
        Self::of_version(KeyVersion::Own)
    }

    /// Generates a key of the transfer's own link that opens the payload only together with a passphrase.
    #[must_use]
    pub fn random_with_passphrase() -> Self {
        Self::of_version(KeyVersion::OwnWithPassphrase)
    }

    /// Generates a key of a further link.
    #[must_use]
    pub fn random_further(needs_passphrase: bool) -> Self {
        Self::of_version(if needs_passphrase { KeyVersion::FurtherWithPassphrase } else { KeyVersion::Further })
    }

    /// Returns what the link of a transfer for recipients has in place of a key.
    #[must_use]
    pub fn for_recipients(commitment: Commitment) -> Self {
        Self { version: KeyVersion::Recipients, secret: Zeroizing::new(*commitment.as_bytes()).into() }
    }

    /// Returns the commitment to the payload key, in the link of a transfer for recipients.
    #[must_use]
    pub fn commitment(&self) -> Option<Commitment> {
        (self.version == KeyVersion::Recipients).then(|| Commitment::from_bytes(*self.secret.as_bytes()))
    }

    fn of_version(version: KeyVersion) -> Self {
        Self { version, secret: SecretBytes::random() }
    }

    /// Returns whether a passphrase is required.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        matches!(self.version, KeyVersion::OwnWithPassphrase | KeyVersion::FurtherWithPassphrase)
    }

    /// Returns whether the key belongs to a further link: the server stores the payload key wrapped.
    #[must_use]
    pub fn is_further(&self) -> bool {
        matches!(self.version, KeyVersion::Further | KeyVersion::FurtherWithPassphrase)
    }

    /// Derives the secret of the link. With a passphrase, this takes several hundred milliseconds of CPU time.
    ///
    /// Without a passphrase, the secret equals the link key's 32 bytes. With a passphrase:
    /// secret = HKDF-SHA256(ikm = key · stretched passphrase, salt empty, info `sgsend/v1/passphrase`), where the
    /// passphrase is stretched with the salt HKDF-SHA256(key, salt empty, info `sgsend/v1/passphrase-salt`, 16 bytes).
    ///
    /// # Errors
    /// [`UnlockError`].
    pub fn unlock(&self, passphrase: Option<&Passphrase>) -> Result<LinkSecret, UnlockError> {
        if self.version == KeyVersion::Recipients {
            return Err(UnlockError::Wrapped);
        }
        let secret = match (self.needs_passphrase(), passphrase) {
            (false, None) => self.secret.clone(),
            (false, Some(_)) => return Err(UnlockError::Unexpected),
            (true, None) => return Err(UnlockError::Missing),
            (true, Some(passphrase)) => {
                let salt = hkdf::derive::<16>(self.secret.as_bytes(), &[], b"sgsend/v1/passphrase-salt");
                let mut material = Zeroizing::new([0; 64]);
                material[..32].copy_from_slice(self.secret.as_bytes());
                material[32..].copy_from_slice(passphrase.stretch(&salt).as_slice());
                SecretBytes::derive(material.as_slice(), b"sgsend/v1/passphrase")
            }
        };
        Ok(if self.is_further() {
            LinkSecret::Further(WrappingKey::from(secret))
        } else {
            LinkSecret::Own(PayloadKey(secret))
        })
    }

    /// Returns the key's text form, without the `#`.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let prefix = self.version.prefix();
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + base64url::CHARACTERS));
        text.push_str(prefix);
        text.push_str(&self.secret.to_base64url());
        text
    }
}

impl FromStr for LinkKey {
    type Err = InvalidKey;

    /// Parses a version prefix and 43 characters; 43 characters without a prefix are a `v1.` key.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (version, secret) = match text.split_once('.') {
            None => (KeyVersion::Own, text),
            Some((name, secret)) => {
                let version = KeyVersion::ALL.into_iter().find(|version| text.starts_with(version.prefix()));
                let is_version = name.starts_with('v') && name.len() < base64url::CHARACTERS;
                let unknown = if is_version { InvalidKey::Version } else { InvalidKey::Malformed };
                (version.ok_or(unknown)?, secret)
            }
        };
        let secret = SecretBytes::from_base64url(secret).ok_or(InvalidKey::Malformed)?;
        Ok(Self { version, secret })
    }
}

#[cfg(test)]
mod tests;
