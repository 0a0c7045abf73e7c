//! The HTTP interface of both services.

mod browser_security;
mod downloads;
mod errors;
mod info;
mod key_proofs;
mod keys;
mod lifecycle;
pub(crate) mod links;
mod metrics;
mod openapi;
mod presigned;
mod requests;
mod sessions;
mod tokens;
mod transfer_lists;
mod uploads;
