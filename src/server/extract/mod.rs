//! Axum extractors that parse and authorise requests.
//!
//! Their order in a handler's signature is the order of the API's checks.

mod admin;
mod json;
mod params;
mod path;
mod proofs;
mod scope;
mod transfer;

#[cfg(fuzzing)]
pub(super) use admin::cookies_named;
pub(super) use admin::{Admin, origin_of};
pub(super) use json::Json;
pub(super) use params::Params;
pub(super) use path::Id;
pub(super) use proofs::Proofs;
pub(super) use scope::Scope;
pub(super) use transfer::{Found, KnownToken, Owned, Sender, Viewed};
