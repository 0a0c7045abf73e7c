//! Wrapped payload keys: what the server stores so that a further link of a transfer opens its payload.

use zeroize::Zeroizing;

use super::aead::{self, Purpose};
use super::key::PayloadKey;
use super::link_text::WrappedKey;
use super::secret_bytes::SecretBytes;
use crate::domain::id::LinkId;

/// Label of the key derivation, and start of the associated data.
const LABEL: &[u8] = b"sgsend/v1/wrap";

/// The 32-byte secret of a further link: its key or, with a passphrase, the value derived from both.
#[derive(Clone)]
pub struct WrappingKey(SecretBytes);

/// The wrapped key was changed, or belongs to another link or link key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wrapped key is damaged or belongs to another link")]
pub struct DamagedKey;

impl WrappingKey {
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

    /// Wraps the payload key for the link with the id `link_id`, under a random nonce.
    ///
    /// AES-256-GCM with the key HKDF-SHA256(link secret, salt empty, info `sgsend/v1/wrap`, 32 bytes) and the associated
    /// data `sgsend/v1/wrap` · 16 raw bytes of the link id.
    #[must_use]
    pub fn wrap(&self, key: &PayloadKey, link_id: LinkId) -> WrappedKey {
        let sealed = aead::seal(self.as_bytes(), purpose(&link_id), key.as_bytes());
        WrappedKey::from_bytes(sealed.as_slice().try_into().expect("nonce, key and tag have 60 bytes"))
    }
}

impl From<SecretBytes> for WrappingKey {
    fn from(secret: SecretBytes) -> Self {
        Self(secret)
    }
}

impl WrappedKey {
    /// Unwraps the payload key of the link with the id `link_id`.
    ///
    /// # Errors
    /// [`DamagedKey`] if the wrapped key was changed, or belongs to another link or link key.
    pub fn unwrap(&self, key: &WrappingKey, link_id: LinkId) -> Result<PayloadKey, DamagedKey> {
        let opened = aead::open(key.as_bytes(), purpose(&link_id), &self.to_bytes()).ok_or(DamagedKey)?;
        let bytes: [u8; 32] = opened.as_slice().try_into().map_err(|_| DamagedKey)?;
        Ok(PayloadKey::from_bytes(Zeroizing::new(bytes)))
    }
}

fn purpose(link_id: &LinkId) -> Purpose<'_> {
    Purpose { label: LABEL, bound_to: link_id.as_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::link_text::WRAPPED_KEY_BYTES;

    fn random_key() -> WrappingKey {
        WrappingKey::from_bytes(Zeroizing::new(crate::domain::crypto::random::bytes()))
    }

    #[test]
    fn a_wrapped_key_opens_with_its_link_key_and_link_id_only() {
        let (wrapping_key, payload_key, id) = (random_key(), PayloadKey::random(), LinkId::random());
        let wrapped = wrapping_key.wrap(&payload_key, id);
        assert_eq!(wrapped.unwrap(&wrapping_key, id).unwrap().as_bytes(), payload_key.as_bytes());
        assert_ne!(wrapping_key.wrap(&payload_key, id), wrapped, "the nonce is not random");
        assert_eq!(wrapped.unwrap(&random_key(), id).err(), Some(DamagedKey));
        assert_eq!(wrapped.unwrap(&wrapping_key, LinkId::random()).err(), Some(DamagedKey));
        for at in 0..WRAPPED_KEY_BYTES {
            let mut bytes = wrapped.to_bytes();
            bytes[at] ^= 1;
            assert_eq!(WrappedKey::from_bytes(&bytes).unwrap(&wrapping_key, id).err(), Some(DamagedKey), "{at}");
        }
    }
}
