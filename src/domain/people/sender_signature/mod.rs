//! Signatures of senders: SSHSIG over all that a payload consists of.
//!
//! Specification: PROTOCOL.sshsig of OpenSSH. Namespace `sgsend`, Ed25519 keys, SHA-512. A GCM tag is no proof of the
//! content, since everybody with the key can make other content with the same tag: what is signed is a hash of the
//! encrypted bytes.

mod merkle;
mod sender_key;
mod statement;
mod verify;

pub use merkle::{LeafHash, tree_hash};
pub use sender_key::{InvalidSenderKey, NAMESPACE, SenderKey, sign_with_key, sshsig_of, to_be_signed};
pub use statement::SignedStatement;
pub use verify::{ClaimedSender, RejectedSignature, VerifiedSender, claimed_sender, verify};
