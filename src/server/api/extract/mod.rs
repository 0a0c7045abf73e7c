//! Axum extractors that parse and authorise requests.
//!
//! A handler's extractors run in the order of its parameters, which is the order of the API's checks.

mod admin;
mod json;
mod metrics;
mod params;
mod path;
mod proofs;
mod scope;
mod token;
mod transfer;

#[cfg(fuzzing)]
pub(crate) use admin::cookies_named;
pub(crate) use admin::{Admin, origin_of};
pub(crate) use json::Json;
pub(crate) use metrics::MetricsReader;
pub(crate) use params::Params;
pub(crate) use path::{Id, LinkInPath};
pub(crate) use proofs::{GuestDigest, GuestHeader, Proofs};
pub(crate) use scope::Scope;
pub(crate) use token::{KnownToken, Sender, Uploader};
pub(crate) use transfer::{AnyLink, AnyTransfer, DeletableTransfer, OwnedTransfer, UploadedTransfer, VisibleLink};
