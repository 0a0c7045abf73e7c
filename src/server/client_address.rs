//! Whose request it is, where proxies may stand in between.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

use crate::domain::address::{HeaderForm, TrustedProxies, addresses};

/// Where the addresses of clients are taken from.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    /// The proxies that are trusted to name them.
    pub proxies: TrustedProxies,
    /// The one header in which they do.
    pub header: HeaderName,
}

impl Default for ClientAddress {
    /// That of the connection, always.
    fn default() -> Self {
        Self { proxies: TrustedProxies::default(), header: HeaderName::from_static("x-forwarded-for") }
    }
}

impl ClientAddress {
    /// The address of whoever sent a request with `headers` through `peer`.
    pub(super) fn of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.proxies.trusts(peer.to_canonical()) {
            return peer;
        }
        let form = if self.header == http::header::FORWARDED { HeaderForm::Forwarded } else { HeaderForm::List };
        // What is no text spoils only the entry that it stands in.
        let lines = headers.get_all(&self.header).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let lines: Vec<_> = lines.collect();
        self.proxies.client(peer, &addresses(form, lines.iter().map(AsRef::as_ref)))
    }
}
