//! The client's IP address, taken from the connection or from a trusted proxy's header.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

use crate::domain::address::{HeaderForm, TrustedProxies, addresses};

/// Source of client addresses: the trusted proxies and their header.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    /// Proxies trusted to report client addresses.
    pub proxies: TrustedProxies,
    /// The only header read for client addresses.
    pub header: HeaderName,
}

impl Default for ClientAddress {
    /// Trusts no proxy: every client address is the peer address of its connection.
    fn default() -> Self {
        Self { proxies: TrustedProxies::default(), header: HeaderName::from_static("x-forwarded-for") }
    }
}

impl ClientAddress {
    /// Returns the client address of a request with `headers` that arrived from `peer`.
    pub(crate) fn of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.proxies.trusts(peer.to_canonical()) {
            return peer;
        }
        let form = if self.header == http::header::FORWARDED { HeaderForm::Forwarded } else { HeaderForm::List };
        // Bytes that are not UTF-8 invalidate only the list entry that contains them.
        let lines = headers.get_all(&self.header).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let lines: Vec<_> = lines.collect();
        self.proxies.client(peer, &addresses(form, lines.iter().map(AsRef::as_ref)))
    }
}
