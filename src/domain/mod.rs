//! What a transfer is: ids, time, states, tokens, audit records, the sealed format, links, and the [`store::Store`] they are kept in.
//!
//! Nothing here knows about HTTP frameworks, terminals, databases or object stores.

pub mod digest;
pub mod id;
pub mod random;
mod schema;
