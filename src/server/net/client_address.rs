//! The client's IP address, taken from the connection or from a trusted proxy's header.

use std::net::IpAddr;
use std::sync::OnceLock;

use http::{HeaderMap, HeaderName};

use crate::domain::address::{HeaderForm, TrustedProxies, addresses};

/// Usual headers with client addresses.
const FORWARDED_HEADERS: [HeaderName; 3] =
    [http::header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];

/// Source of client addresses: the trusted proxies and their header.
#[derive(Clone, Debug)]
pub struct ClientAddressResolver {
    /// Proxies trusted to report client addresses.
    pub proxies: TrustedProxies,
    /// The only header read for client addresses.
    pub header: HeaderName,
}

impl Default for ClientAddressResolver {
    /// Trusts no proxy: every client address is the peer address of its connection.
    fn default() -> Self {
        Self { proxies: TrustedProxies::default(), header: HeaderName::from_static("x-forwarded-for") }
    }
}

/// The first proxy that was not named with `--trusted-proxy`, and sent a forwarded header.
#[derive(Debug, Default)]
pub(crate) struct UntrustedProxy(OnceLock<IpAddr>);

impl UntrustedProxy {
    /// Records the proxy, and logs a warning for the first one of this process.
    pub(crate) fn notice(&self, address: IpAddr) {
        if self.0.set(address).is_ok() {
            tracing::warn!(
                %address,
                "a request carries a forwarded header, but its sender is no trusted proxy, so all clients behind it \
                 count as one: if this is the address of your proxy, start the service with --trusted-proxy {address}"
            );
        }
    }

    /// Returns the address of the first unnamed proxy.
    pub(crate) fn get(&self) -> Option<IpAddr> {
        self.0.get().copied()
    }
}

impl ClientAddressResolver {
    /// Returns whether a request with `headers` arrived through the proxy `peer`, which is not trusted.
    pub(crate) fn is_untrusted_proxy(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let usual = FORWARDED_HEADERS.iter().any(|name| headers.contains_key(name));
        (usual || headers.contains_key(&self.header)) && !self.proxies.trusts(peer.to_canonical())
    }

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
