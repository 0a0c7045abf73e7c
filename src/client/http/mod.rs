//! HTTP clients of both services: typed routes, transport, retries, and secrets bound to an origin.

pub(super) mod admin;
pub(super) mod api;
pub(super) mod api_error;
pub(super) mod certificate;
pub(super) mod content_range;
pub(super) mod destination;
pub(super) mod error;
pub(super) mod event_stream;
pub(super) mod fault;
mod health;
pub(super) mod keys;
mod links;
mod one_connection;
pub(super) mod origin;
mod probe;
pub(super) mod proxy;
mod requests;
mod resolver;
pub(super) mod response;
pub(super) mod retry;
pub(super) mod secret;
mod transfer_lists;
pub(super) mod transport;
