//! Properties of a connection that the listener adds to the extensions of each of its requests.

use std::net::SocketAddr;

/// The peer address of the connection: the client, or a proxy in front of this service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Marks whether the connection uses TLS up to this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsTls(pub(crate) bool);
