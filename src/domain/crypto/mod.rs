//! Cryptography: sealed stream, envelope, keys, access proofs, passphrases, commitments.

mod aead;
pub(in crate::domain) mod base64url;
pub mod certificate;
pub mod commitment;
pub mod digest;
pub mod envelope;
pub mod guest_proof;
pub(crate) mod hkdf;
pub mod info;
pub mod key;
pub mod key_proof;
pub mod label;
pub mod link_text;
pub mod padding;
pub mod passphrase;
pub mod proof;
pub mod random;
pub mod request_secret;
pub mod sealed;
mod sealed_block;
pub mod sealed_signature;
pub mod secret_bytes;
pub mod wrap;
