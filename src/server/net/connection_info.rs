//! Properties of a connection that the listener adds to the extensions of each of its requests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Extensions;

/// The peer of the connection: the client, or a proxy in front of this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A peer with this address, or the client in its PROXY header.
    Network(SocketAddr),
    /// A process at the other end of a Unix socket.
    UnixSocket,
    /// A trusted proxy with this address whose PROXY header names no client. Forwarded headers come from anybody.
    Unnamed(Option<SocketAddr>),
}

impl Peer {
    /// Creates the peer of a connection from `address`; `None` for a Unix socket.
    pub(crate) fn new(address: Option<SocketAddr>) -> Self {
        address.map_or(Self::UnixSocket, Self::Network)
    }

    /// Returns the peer that this proxy's PROXY header describes, with the client's address if it has one.
    pub(crate) fn with_client(self, client: Option<SocketAddr>) -> Self {
        match (client, self) {
            (Some(client), _) => Self::Network(client),
            (None, proxy) => Self::Unnamed(proxy.address()),
        }
    }

    fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Network(address) | Self::Unnamed(Some(address)) => Some(address),
            Self::UnixSocket | Self::Unnamed(None) => None,
        }
    }

    /// Returns the address for limits and records: that of this machine for a Unix socket.
    pub(crate) fn ip(self) -> IpAddr {
        self.address().map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip())
    }
}

/// The local address, at which the client reached this process; `None` for a Unix socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalAddress(pub(crate) Option<SocketAddr>);

/// Marks whether the connection uses TLS up to this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsTls(pub(crate) bool);

impl IsTls {
    /// Returns whether the connection of the request with these extensions uses TLS.
    pub(crate) fn of(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some_and(|is_tls| is_tls.0)
    }
}
