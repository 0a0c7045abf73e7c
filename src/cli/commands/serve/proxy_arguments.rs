//! Arguments of `sgsend serve` about proxies in front of the services.

use clap::Args;
use http::HeaderName;
use ipnet::IpNet;

use crate::domain::address::{TrustedProxies, network};
use crate::server::Settings;

/// Options of a service behind a proxy.
#[derive(Args)]
pub(super) struct ProxyArguments {
    /// Trusted proxy, by address or network, or unix for peers of Unix sockets; can be repeated
    #[arg(long, env = "SGSEND_TRUSTED_PROXY", value_name = "CIDR|unix", value_delimiter = ',', value_parser = trusted_proxy)]
    trusted_proxy: Vec<TrustedPeer>,
    /// Header in which trusted proxies report clients: a list, or `forwarded` [default: x-forwarded-for]
    #[arg(long, env = "SGSEND_FORWARDED_HEADER", value_name = "NAME", requires = "trusted_proxy")]
    forwarded_header: Option<HeaderName>,
    /// Require a PROXY header, version 1 or 2, on every connection from a trusted proxy
    #[arg(long, env = "SGSEND_PROXY_PROTOCOL", requires = "trusted_proxy")]
    proxy_protocol: bool,
}

/// Value of `--trusted-proxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrustedPeer {
    Network(IpNet),
    UnixSocket,
}

fn trusted_proxy(text: &str) -> Result<TrustedPeer, String> {
    match text {
        "unix" => Ok(TrustedPeer::UnixSocket),
        text => network(text).map(TrustedPeer::Network).map_err(|error| error.to_string()),
    }
}

impl ProxyArguments {
    /// Sets the trusted proxies, and how they name clients.
    pub(super) fn apply(&self, settings: &mut Settings) {
        let networks = self.trusted_proxy.iter().filter_map(|peer| match peer {
            TrustedPeer::Network(network) => Some(*network),
            TrustedPeer::UnixSocket => None,
        });
        settings.client_address.proxies = TrustedProxies::new(networks.collect());
        settings.client_address.unix_sockets = self.trusted_proxy.contains(&TrustedPeer::UnixSocket);
        if let Some(header) = &self.forwarded_header {
            settings.client_address.header = header.clone();
        }
        settings.proxy_protocol = self.proxy_protocol;
    }

    /// Returns whether no proxy is trusted.
    pub(super) fn names_none(&self) -> bool {
        self.trusted_proxy.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_proxy_is_a_network_or_the_peers_of_unix_sockets() {
        assert_eq!(trusted_proxy("unix"), Ok(TrustedPeer::UnixSocket));
        assert_eq!(trusted_proxy("10.0.0.0/8"), Ok(TrustedPeer::Network("10.0.0.0/8".parse().unwrap())));
        for bad in ["", "Unix", "unix:/run/a.sock", "0.0.0.0/0"] {
            assert!(trusted_proxy(bad).is_err(), "{bad}");
        }
    }
}
