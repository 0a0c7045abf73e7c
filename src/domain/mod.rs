//! The domain model: transfers, tokens, audit records, the sealed format, links, and the [`store::Store`] trait.
//!
//! This module is independent of HTTP frameworks, terminals, databases and object stores.

pub mod address;
pub mod archive_path;
pub mod attempts;
pub mod audit;
mod base64url;
pub mod clock;
pub mod copying;
pub mod digest;
pub mod envelope;
pub mod error;
pub mod examination;
pub mod file_name;
pub(crate) mod hkdf;
pub mod id;
pub mod key;
pub mod limits;
pub mod link;
pub mod passphrase;
pub mod proof;
pub mod random;
pub mod room;
pub mod root;
mod schema;
pub mod sealed;
pub mod soundness;
pub mod stats;
pub mod store;
pub mod timestamp;
pub mod token;
pub mod tokens;
pub mod transfer;
pub mod transfers;
pub mod version;
pub mod wire;
