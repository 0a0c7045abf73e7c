//! Wraps and unwraps the plaintext of a `keys` blob.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::iter;

use age::plugin::RecipientPluginV1;
use zeroize::Zeroizing;

use super::blob::{KeysBlob, KeysEntries, MAX_KEYS_BYTES};
use super::identity::IdentityKey;
use super::plugin::{PluginFailure, Plugins};
use super::recipient::RecipientKey;
use crate::domain::crypto::random;

/// Maximum number of recipients of one transfer. As many entries are at most 14 KiB.
pub const MAX_RECIPIENTS: usize = 100;
/// Smallest number of entries in a blob. More entries are filled up to a power of two.
const MIN_ENTRIES: usize = 4;

/// The plaintext cannot be wrapped for these recipients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrapKeysError {
    /// The list of recipients is empty.
    #[error("a transfer for recipients needs at least one recipient")]
    NoRecipient,
    /// More than [`MAX_RECIPIENTS`] recipients, or a plaintext that is too long.
    #[error("a transfer can have at most {MAX_RECIPIENTS} recipients")]
    TooMany,
    /// A plugin has not wrapped the plaintext for its recipients.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
}

/// The blob cannot be unwrapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapKeysError {
    /// None of the identities is among the recipients.
    #[error("none of the identities is among the recipients")]
    NoMatch(KeysEntries),
    /// The blob was changed, or is no age file.
    #[error("the wrapped key is damaged")]
    Damaged,
    /// A plugin has not unwrapped the blob.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
}

/// Wraps `plaintext` for `recipients`, each once. Every call gives other bytes. Blocks while plugins run.
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
    let plugins = plugins_of(&all)?;
    let native = all.iter().filter_map(RecipientKey::as_age);
    let mut recipients: Vec<_> = native.chain(plugins.iter().map(|plugin| plugin as &dyn age::Recipient)).collect();
    recipients.sort_by_cached_key(|_| random::bytes::<16>());
    let encryptor = age::Encryptor::with_recipients(recipients.into_iter()).map_err(|error| match error {
        age::EncryptError::Plugin(errors) => PluginFailure::of(&errors),
        // X25519 and Ed25519 recipients have no labels, so the plugin's have, and cannot be combined with them.
        other => PluginFailure::Failed(other.to_string()),
    })?;
    let mut file = Vec::with_capacity(MAX_KEYS_BYTES);
    let written = encryptor.wrap_output(&mut file).and_then(|mut writer| {
        writer.write_all(plaintext)?;
        writer.finish().map(drop)
    });
    written.expect("writing to memory does not fail");
    KeysBlob::from_bytes(&file).map_err(|_| WrapKeysError::TooMany)
}

/// Returns the programs that wrap for the recipients of plugins, one for each plugin.
fn plugins_of(all: &[RecipientKey]) -> Result<Vec<RecipientPluginV1<Plugins>>, PluginFailure> {
    let recipients: Vec<_> = all.iter().filter_map(RecipientKey::as_plugin).collect();
    let keys: Vec<_> = recipients.iter().map(|(key, _)| (*key).clone()).collect();
    let names: BTreeMap<_, _> = recipients.iter().map(|(key, plugins)| (key.plugin(), *plugins)).collect();
    names.into_iter().map(|(name, plugins)| plugins.of_recipients(name, &keys)).collect()
}

/// Unwraps a blob with the first identity that is among its recipients. Returns the plaintext and that recipient.
///
/// Identities of plugins are tried last, since they may need something of the user. Blocks while they run.
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
    let (plugins, native): (Vec<_>, Vec<_>) = identities.iter().partition(|identity| identity.is_of_plugin());
    for identity in native.into_iter().chain(plugins) {
        let decryptor = age::Decryptor::new_buffered(&*file).map_err(|_| UnwrapKeysError::Damaged)?;
        let mut opened = match decryptor.decrypt(iter::once(identity.as_age())) {
            Err(age::DecryptError::NoMatchingKeys) => continue,
            Err(age::DecryptError::Plugin(errors)) => return Err(PluginFailure::of(&errors).into()),
            Err(age::DecryptError::Io(error)) if identity.is_of_plugin() => {
                return Err(PluginFailure::Failed(error.to_string()).into());
            }
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
