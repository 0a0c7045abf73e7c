//! Proxies whose word about a client's address is taken.

use std::net::IpAddr;

use ipnet::IpNet;

/// The networks of proxies that stand before a service and are trusted to name those who ask them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// A text that names no network of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// It is none.
    #[error("a network is written like 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1")]
    Form,
    /// It is everyone.
    #[error("if everyone is trusted, anyone can choose an address: name the network of your proxies")]
    Everyone,
}

/// Reads a network, or an address alone.
///
/// # Errors
/// [`InvalidNetwork`].
pub fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
    let alone = |text: &str| text.parse::<IpAddr>().map(IpNet::from);
    let network: IpNet = text.parse().or_else(|_| alone(text)).map_err(|_| InvalidNetwork::Form)?;
    if network.prefix_len() == 0 { Err(InvalidNetwork::Everyone) } else { Ok(network) }
}

impl TrustedProxies {
    /// The proxies of these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is that of a trusted proxy.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who asks: `peer`, or, where that is a trusted proxy, the last of `named` that is none. What stands before that
    /// one was written by strangers.
    ///
    /// Where a trusted proxy names nobody, or all that are named are trusted, it is the farthest of these.
    #[must_use]
    pub fn client(&self, peer: IpAddr, named: &[Option<IpAddr>]) -> IpAddr {
        let mut nearest = peer.to_canonical();
        let mut named = named.iter().rev();
        while self.trusts(nearest) {
            match named.next() {
                Some(Some(address)) => nearest = *address,
                Some(None) | None => break,
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, named: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1"].map(|text| network(text).unwrap());
        let named: Vec<_> = named.iter().map(|text| text.parse().ok()).collect();
        TrustedProxies::new(networks.to_vec()).client(peer.parse().unwrap(), &named).to_string()
    }

    #[test]
    fn networks_are_read() {
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
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(client("10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("192.0.2.1", &["203.0.113.9", "10.0.0.1", "2001:db8:1::5"]), "203.0.113.9");
    }

    #[test]
    fn what_strangers_write_is_not_believed() {
        assert_eq!(client("10.1.2.3", &["192.168.0.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.1.2.3", &["10.0.0.9", "203.0.113.9", "10.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn who_is_not_named_is_the_proxy_itself() {
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["203.0.113.9", "unknown"]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["unknown", "10.0.0.1"]), "10.0.0.1");
        assert_eq!(client("10.1.2.3", &["10.0.0.2", "10.0.0.1"]), "10.0.0.2");
    }
}
