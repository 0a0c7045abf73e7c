//! The client's IP address, taken from the connection or from a trusted proxy's header.

use std::net::IpAddr;
use std::sync::OnceLock;

use http::{HeaderMap, HeaderName};

use super::connection_info::Peer;
use crate::domain::address::{HeaderForm, TrustedProxies, addresses};

/// Usual headers with client addresses.
const FORWARDED_HEADERS: [HeaderName; 3] =
    [http::header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];

/// Source of client addresses: the trusted proxies and their header.
#[derive(Clone, Debug)]
pub struct ClientAddressResolver {
    /// Proxies trusted to report client addresses.
    pub proxies: TrustedProxies,
    /// Whether the peers of Unix sockets are trusted proxies.
    pub unix_sockets: bool,
    /// The only header read for client addresses.
    pub header: HeaderName,
}

impl Default for ClientAddressResolver {
    /// Trusts no proxy: every client address is the peer address of its connection.
    fn default() -> Self {
        Self {
            proxies: TrustedProxies::default(),
            unix_sockets: false,
            header: HeaderName::from_static("x-forwarded-for"),
        }
    }
}

/// The first proxy that was not named with `--trusted-proxy`, and sent a forwarded header.
#[derive(Debug, Default)]
pub(crate) struct UntrustedProxy(OnceLock<String>);

impl UntrustedProxy {
    /// Records the proxy, and logs a warning for the first one of this process.
    pub(crate) fn notice(&self, peer: Peer) {
        let name = match peer {
            Peer::UnixSocket => "unix".to_owned(),
            peer => peer.ip().to_canonical().to_string(),
        };
        if self.0.set(name.clone()).is_ok() {
            tracing::warn!(
                address = %name,
                "a request carries a forwarded header, but its sender is no trusted proxy, so all clients behind it \
                 count as one: if this is the address of your proxy, start the service with --trusted-proxy {name}"
            );
        }
    }

    /// Returns the value of `--trusted-proxy` for the first unnamed proxy.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

impl ClientAddressResolver {
    /// Returns whether any proxy is trusted.
    pub(crate) fn trusts_any(&self) -> bool {
        self.unix_sockets || !self.proxies.is_empty()
    }

    /// Returns whether `peer` is a trusted proxy.
    pub(crate) fn trusts(&self, peer: Peer) -> bool {
        match peer {
            Peer::Network(address) => self.proxies.trusts(address.ip().to_canonical()),
            Peer::UnixSocket => self.unix_sockets,
            Peer::Unnamed(_) => false,
        }
    }

    /// Returns whether a request with `headers` arrived through the proxy `peer`, which is not trusted.
    pub(crate) fn is_untrusted_proxy(&self, peer: Peer, headers: &HeaderMap) -> bool {
        let usual = FORWARDED_HEADERS.iter().any(|name| headers.contains_key(name));
        let is_unnamed = matches!(peer, Peer::Unnamed(_));
        (usual || headers.contains_key(&self.header)) && !is_unnamed && !self.trusts(peer)
    }

    /// Returns the client address of a request with `headers` that arrived from `peer`.
    pub(crate) fn of(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer.ip();
        }
        let form = if self.header == http::header::FORWARDED { HeaderForm::Forwarded } else { HeaderForm::List };
        // Bytes that are not UTF-8 invalidate only the list entry that contains them.
        let lines = headers.get_all(&self.header).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let lines: Vec<_> = lines.collect();
        let forwarded = addresses(form, lines.iter().map(AsRef::as_ref));
        match (peer, forwarded.split_last()) {
            // A Unix socket has no address, so its proxy's entry is the first to be judged.
            (Peer::UnixSocket, Some((Some(nearest), others))) => self.proxies.client(*nearest, others),
            _ => self.proxies.client(peer.ip(), &forwarded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_of_a_unix_socket_is_a_proxy_only_if_told_so() {
        let headers = |text: &str| HeaderMap::from_iter([(FORWARDED_HEADERS[1].clone(), text.parse().unwrap())]);
        let client = |resolver: &ClientAddressResolver, peer, text| resolver.of(peer, &headers(text)).to_string();
        let open = ClientAddressResolver::default();
        assert_eq!(client(&open, Peer::UnixSocket, "203.0.113.9"), "127.0.0.1");
        assert!(open.is_untrusted_proxy(Peer::UnixSocket, &headers("203.0.113.9")));
        let mut trusting = ClientAddressResolver { unix_sockets: true, ..open };
        assert_eq!(client(&trusting, Peer::UnixSocket, "198.51.100.1, 203.0.113.9"), "203.0.113.9");
        assert_eq!(client(&trusting, Peer::UnixSocket, "203.0.113.9, nonsense"), "127.0.0.1");
        assert_eq!(trusting.of(Peer::UnixSocket, &HeaderMap::new()).to_string(), "127.0.0.1");
        assert!(!trusting.is_untrusted_proxy(Peer::UnixSocket, &headers("203.0.113.9")));
        trusting.proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(client(&trusting, Peer::UnixSocket, "203.0.113.9, 10.0.0.1"), "203.0.113.9");
        // Trust in Unix sockets is none in this machine's addresses.
        assert_eq!(client(&trusting, Peer::Network("127.0.0.1:1".parse().unwrap()), "203.0.113.9"), "127.0.0.1");
    }

    #[test]
    fn a_proxy_that_names_no_client_forwards_headers_of_anybody() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let resolver = ClientAddressResolver { proxies, unix_sockets: true, ..ClientAddressResolver::default() };
        let headers = HeaderMap::from_iter([(FORWARDED_HEADERS[1].clone(), "203.0.113.9".parse().unwrap())]);
        let (proxy, unix) = (Peer::Unnamed(Some("10.0.0.1:1".parse().unwrap())), Peer::Unnamed(None));
        assert_eq!(resolver.of(proxy, &headers).to_string(), "10.0.0.1");
        assert_eq!(resolver.of(unix, &headers).to_string(), "127.0.0.1");
        assert!(!resolver.is_untrusted_proxy(proxy, &headers));
    }
}
