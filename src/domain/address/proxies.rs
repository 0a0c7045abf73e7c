//! Trusted proxies, whose forwarded headers determine a client's address.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks of reverse proxies that a service trusts to report client addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text is not a network that can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// The text is not a network in CIDR notation or an address.
    #[error("expected a network or address, such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1")]
    Form,
    /// The network contains every address.
    #[error("trusting every address lets clients forge theirs: name only the networks of your proxies")]
    Everyone,
}

/// Parses a network in CIDR notation, or a single address.
///
/// # Errors
/// [`InvalidNetwork`] for other text, and for networks with prefix length 0.
pub fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
    let single_address = |text: &str| text.parse::<IpAddr>().map(IpNet::from);
    let network: IpNet = text.parse().or_else(|_| single_address(text)).map_err(|_| InvalidNetwork::Form)?;
    if network.prefix_len() == 0 { Err(InvalidNetwork::Everyone) } else { Ok(network) }
}

impl TrustedProxies {
    /// Trusts the proxies in `networks`.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Returns whether no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether `address` belongs to a trusted proxy.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Determines the client's address from `peer` and the `forwarded` addresses, nearest hop last.
    ///
    /// Returns `peer` unless it is a trusted proxy. Otherwise returns the last forwarded address that is not a trusted
    /// proxy; earlier entries may be forged. If all forwarded addresses are trusted, or a trusted proxy reports no
    /// valid address, returns the farthest trusted proxy reached.
    #[must_use]
    pub fn client(&self, peer: IpAddr, forwarded: &[Option<IpAddr>]) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = forwarded.iter().rev();
        while self.trusts(client) {
            match hops.next() {
                Some(Some(address)) => client = *address,
                Some(None) | None => break,
            }
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1"].map(|text| network(text).unwrap());
        let forwarded: Vec<_> = forwarded.iter().map(|text| text.parse().ok()).collect();
        TrustedProxies::new(networks.to_vec()).client(peer.parse().unwrap(), &forwarded).to_string()
    }

    #[test]
    fn networks_are_parsed() {
        for good in ["10.0.0.0/8", "192.0.2.1", "2001:db8::1", "10.1.2.3/8"] {
            assert!(network(good).is_ok(), "{good}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "example.org", "10.0.0.0/8,::/0", "*"] {
            assert_eq!(network(bad), Err(InvalidNetwork::Form), "{bad}");
        }
        for everyone in ["0.0.0.0/0", "::/0"] {
            assert_eq!(network(everyone), Err(InvalidNetwork::Everyone));
        }
    }

    #[test]
    fn only_trusted_proxies_are_honoured() {
        assert_eq!(client("198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(client("10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("192.0.2.1", &["203.0.113.9", "10.0.0.1", "2001:db8:1::5"]), "203.0.113.9");
    }

    #[test]
    fn forged_entries_are_ignored() {
        assert_eq!(client("10.1.2.3", &["192.168.0.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.1.2.3", &["10.0.0.9", "203.0.113.9", "10.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn the_proxy_is_the_client_if_it_reports_none() {
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["203.0.113.9", "unknown"]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["unknown", "10.0.0.1"]), "10.0.0.1");
        assert_eq!(client("10.1.2.3", &["10.0.0.2", "10.0.0.1"]), "10.0.0.2");
    }
}
