//! Cryptography: the sealed stream, the envelope, link keys, access proofs and passphrases.

pub mod certificate;
pub mod digest;
pub mod envelope;
pub(crate) mod hkdf;
pub mod info;
pub mod key;
pub mod key_proof;
pub mod link_text;
pub mod padding;
pub mod passphrase;
pub mod proof;
pub mod random;
pub mod sealed;
