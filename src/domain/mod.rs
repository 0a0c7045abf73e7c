//! What a transfer is: ids, time, states, tokens, audit records, the sealed format, links, and the [`store::Store`] they are kept in.
//!
//! Nothing here knows about HTTP frameworks, terminals, databases or object stores.

mod base64url;
pub mod digest;
pub mod envelope;
pub mod file_name;
mod hkdf;
pub mod id;
pub mod key;
pub mod link;
pub mod passphrase;
pub mod proof;
pub mod random;
pub mod root;
mod schema;
pub mod sealed;
