//! `NO_PROXY`: servers that are reached without a proxy, by the rules of curl.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

/// List of servers that are reached without a proxy.
#[derive(Clone, Debug)]
pub(super) struct NoProxy {
    variable: &'static str,
    rules: Vec<Rule>,
}

/// Entry of the list, with the port that it is limited to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    Network(IpNet),
    /// A domain and its subdomains, in lower case, without a dot at either end.
    Domain(String),
}

impl Default for NoProxy {
    fn default() -> Self {
        Self { variable: "NO_PROXY", rules: Vec::new() }
    }
}

impl NoProxy {
    /// Parses the value of a variable: entries separated by commas or white space.
    pub(super) fn parse(variable: &'static str, list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        Self { variable, rules: entries.filter_map(Rule::parse).collect() }
    }

    /// Returns the name of the variable.
    pub(super) const fn variable(&self) -> &'static str {
        self.variable
    }

    /// Returns whether the list contains the server of `url`.
    pub(super) fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let port = url.port_or_known_default();
        self.rules.iter().any(|rule| rule.port.is_none_or(|only| port == Some(only)) && rule.hosts.contain(&host))
    }
}

impl Rule {
    /// Parses `*`, an IP address, a network, or a domain, optionally with a port. Returns `None` for an entry without a
    /// host.
    fn parse(entry: &str) -> Option<Self> {
        if let Some(network) = network(entry) {
            return Some(Self { hosts: Hosts::Network(network), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => (entry, None),
            },
            None => (entry, None),
        };
        Some(Self { hosts: Hosts::parse(host)?, port })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some(network) = network(text) {
            return Some(Self::Network(network));
        }
        let domain = text.strip_prefix('*').unwrap_or(text);
        let domain = domain.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
        (!domain.is_empty()).then_some(Self::Domain(domain))
    }

    fn contain(&self, host: &Host<&str>) -> bool {
        let within = |address: IpAddr| matches!(self, Self::Network(network) if network.contains(&address));
        match (self, host) {
            (Self::All, _) => true,
            (_, Host::Ipv4(address)) => within((*address).into()),
            (_, Host::Ipv6(address)) => {
                within((*address).into()) || address.to_ipv4_mapped().is_some_and(|address| within(address.into()))
            }
            (Self::Domain(domain), Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

/// Parses a network or an address, also in brackets.
fn network(text: &str) -> Option<IpNet> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    IpNet::from_str(bare).ok().or_else(|| IpAddr::from_str(bare).ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(list: &str, url: &str) -> bool {
        NoProxy::parse("NO_PROXY", list).matches(&Url::parse(url).unwrap())
    }

    #[test]
    fn entries_match_as_in_curl() {
        for (list, url, exempt) in [
            ("send.example", "https://send.example", true),
            ("SEND.example", "https://send.Example", true),
            ("example", "https://send.example", true),
            (".example", "https://send.example", true),
            (".send.example", "https://send.example", true),
            ("send.example.", "https://send.example", true),
            ("send.example", "https://send.example.", true),
            ("end.example", "https://send.example", false),
            ("send.example", "https://send.example.org", false),
            ("a.example, send.example", "https://send.example", true),
            ("a.example send.example\tb", "https://send.example", true),
            ("*", "https://send.example", true),
            ("*", "https://192.0.2.7", true),
            ("a.example,*", "https://send.example", true),
            ("*.example", "https://send.example", true),
            ("192.0.2.7", "https://192.0.2.7", true),
            ("192.0.2.0/24", "https://192.0.2.7", true),
            ("192.0.2.0/30", "https://192.0.2.7", false),
            ("192.0.2.0/99", "https://192.0.2.7", false),
            ("2.7", "https://192.0.2.7", false),
            ("2001:db8::1", "https://[2001:db8::1]", true),
            ("[2001:db8::1]", "https://[2001:db8::1]", true),
            ("2001:db8::/32", "https://[2001:db8:1::1]:8443", true),
            ("2001:db8::/32", "https://[2001:db9::1]", false),
            ("192.0.2.0/24", "https://[::ffff:192.0.2.7]", true),
            ("", "https://send.example", false),
            (",. ,", "https://send.example", false),
        ] {
            assert_eq!(matches(list, url), exempt, "{list:?} {url}");
        }
    }

    #[test]
    fn an_entry_with_a_port_matches_only_that_port() {
        for (list, url, exempt) in [
            ("send.example:8443", "https://send.example:8443", true),
            ("send.example:8443", "https://send.example", false),
            ("send.example:443", "https://send.example", true),
            ("send.example:80", "http://send.example", true),
            ("192.0.2.7:8080", "http://192.0.2.7:8080", true),
            ("192.0.2.7:8080", "http://192.0.2.7", false),
            ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080", true),
            ("[2001:db8::1]:8080", "http://[2001:db8::1]:8081", false),
            ("*:8080", "http://send.example:8080", true),
        ] {
            assert_eq!(matches(list, url), exempt, "{list:?} {url}");
        }
    }
}
