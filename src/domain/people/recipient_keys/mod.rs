//! Payload keys wrapped for the public keys of people, as a standard age file.
//!
//! Specification: <https://c2sp.org/age>. Recipients are X25519 keys of age, Ed25519 keys of SSH, and keys of age's plugins.
//! The server keeps the file as it is, and hands it out to everybody with the id of the transfer.

mod blob;
mod identity;
mod identity_file;
mod plaintext;
mod plugin;
mod recipient;
mod wrap;

pub use blob::{InvalidKeysBlob, KeysBlob, KeysEntries, MAX_KEYS_BYTES};
pub use identity::IdentityKey;
pub use identity_file::{IdentityFile, InvalidIdentity, NewIdentity, protect};
pub use plaintext::{KeysPlaintext, encode_payload_key};
pub use plugin::{PluginDialogue, PluginFailure, Plugins};
pub use recipient::{InvalidRecipient, RecipientKey, RecipientList};
pub use wrap::{MAX_RECIPIENTS, UnwrapKeysError, WrapKeysError, unwrap, wrap};
