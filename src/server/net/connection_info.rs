//! Properties of a connection that the listener adds to the extensions of each of its requests.

use std::net::SocketAddr;

use http::Extensions;

/// The peer address of the connection: the client, or a proxy in front of this service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The local address of the connection, at which the client reached this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalAddress(pub(crate) SocketAddr);

/// Marks whether the connection uses TLS up to this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsTls(pub(crate) bool);

impl IsTls {
    /// Returns whether the connection of the request with these extensions uses TLS.
    pub(crate) fn of(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some_and(|is_tls| is_tls.0)
    }
}
