//! Wraps and unwraps the plaintext of a `keys` blob.

use std::io::{Read, Write};
use std::iter;

use zeroize::Zeroizing;

use super::blob::{KeysBlob, KeysEntries, MAX_KEYS_BYTES};
use super::identity::IdentityKey;
use super::recipient::RecipientKey;
use crate::domain::crypto::random;

/// Maximum number of recipients of one transfer. As many entries are at most 14 KiB.
pub const MAX_RECIPIENTS: usize = 100;
/// Smallest number of entries in a blob. More entries are filled up to a power of two.
const MIN_ENTRIES: usize = 4;

/// The plaintext cannot be wrapped for these recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrapKeysError {
    /// The list of recipients is empty.
    #[error("a transfer for recipients needs at least one recipient")]
    NoRecipient,
    /// More than [`MAX_RECIPIENTS`] recipients, or a plaintext that is too long.
    #[error("a transfer can have at most {MAX_RECIPIENTS} recipients")]
    TooMany,
}

/// The blob cannot be unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapKeysError {
    /// None of the identities is among the recipients.
    #[error("none of the identities is among the recipients")]
    NoMatch(KeysEntries),
    /// The blob was changed, or is no age file.
    #[error("the wrapped key is damaged")]
    Damaged,
}

/// Wraps `plaintext` for `recipients`, each once. Every call gives other bytes.
///
/// Entries for throw-away X25519 keys fill their number up to 4, 8, 16, and so on, and all entries are in random order,
/// so that a blob does not tell the number of recipients.
///
/// # Errors
/// [`WrapKeysError`].
pub fn wrap(plaintext: &[u8], recipients: &[RecipientKey]) -> Result<KeysBlob, WrapKeysError> {
    let mut all: Vec<RecipientKey> = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        if !all.contains(recipient) {
            all.push(recipient.clone());
        }
    }
    if all.is_empty() {
        return Err(WrapKeysError::NoRecipient);
    }
    if all.len() > MAX_RECIPIENTS {
        return Err(WrapKeysError::TooMany);
    }
    let entries = all.len().next_power_of_two().max(MIN_ENTRIES);
    all.resize_with(entries, || RecipientKey::of_x25519(age::x25519::Identity::generate().to_public()));
    all.sort_by_cached_key(|_| random::bytes::<16>());
    let encryptor = age::Encryptor::with_recipients(all.iter().map(RecipientKey::as_age));
    let encryptor = encryptor.expect("X25519 and Ed25519 recipients have no labels, and can be combined");
    let mut file = Vec::with_capacity(MAX_KEYS_BYTES);
    let written = encryptor.wrap_output(&mut file).and_then(|mut writer| {
        writer.write_all(plaintext)?;
        writer.finish().map(drop)
    });
    written.expect("writing to memory does not fail");
    KeysBlob::from_bytes(&file).map_err(|_| WrapKeysError::TooMany)
}

/// Unwraps a blob with the first identity that is among its recipients. Returns the plaintext and that recipient.
///
/// Proves nothing about who wrapped it: anybody can wrap anything for a public key.
///
/// # Errors
/// [`UnwrapKeysError`].
pub fn unwrap(
    blob: &KeysBlob,
    identities: &[IdentityKey],
) -> Result<(Zeroizing<Vec<u8>>, RecipientKey), UnwrapKeysError> {
    let file = blob.to_bytes();
    for identity in identities {
        let decryptor = age::Decryptor::new_buffered(&*file).map_err(|_| UnwrapKeysError::Damaged)?;
        let mut opened = match decryptor.decrypt(iter::once(identity.as_age())) {
            Err(age::DecryptError::NoMatchingKeys) => continue,
            opened => opened.map_err(|_| UnwrapKeysError::Damaged)?,
        };
        // Its capacity is enough: reallocation would leave copies of the key in memory.
        let mut plaintext = Zeroizing::new(Vec::with_capacity(file.len()));
        opened.read_to_end(&mut plaintext).map_err(|_| UnwrapKeysError::Damaged)?;
        return Ok((plaintext, identity.recipient().clone()));
    }
    // Also without identities, a damaged blob is reported as such.
    age::Decryptor::new_buffered(&*file).map_err(|_| UnwrapKeysError::Damaged)?;
    Err(UnwrapKeysError::NoMatch(blob.entries()))
}

#[cfg(test)]
mod tests;
