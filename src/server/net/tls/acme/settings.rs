//! Configuration of certificates from an ACME server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rustls_pki_types::DnsName;
use url::{Host, Url};

/// Directory of Let's Encrypt, whose certificates clients accept.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Settings of a certificate that the service obtains and renews by ACME (RFC 8555).
///
/// Domains are validated by the challenge tls-alpn-01 (RFC 8737).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeSettings {
    /// Domains of the certificate. The first one names its file in the cache. Never empty.
    pub domains: Vec<AcmeDomain>,
    /// Contact URLs for the ACME server's notices, such as `mailto:admin@example.org`.
    pub contact: Vec<String>,
    /// URL of the ACME server's directory.
    pub directory: Url,
    /// Folder of the account keys and certificates. Processes can share it; a process that only reads it does not renew.
    pub cache: PathBuf,
    /// File with CA certificates in PEM, to trust for the ACME server in addition to the system's.
    pub extra_roots: Option<PathBuf>,
}

/// Domain name for which a certificate is obtained, in lower case and ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AcmeDomain(String);

/// The reasons why a text is no domain that tls-alpn-01 can validate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAcmeDomain {
    /// An IP address.
    #[error("certificates are obtained for domain names, not for IP addresses")]
    Address,
    /// A wildcard, which only DNS challenges validate.
    #[error("a wildcard cannot be validated through port 443: list the domains")]
    Wildcard,
    /// No domain name.
    #[error("expected a domain name such as send.example.org")]
    Name,
}

impl AcmeDomain {
    /// Returns the domain name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AcmeDomain {
    type Err = InvalidAcmeDomain;

    fn from_str(text: &str) -> Result<Self, InvalidAcmeDomain> {
        if text.starts_with("*.") {
            return Err(InvalidAcmeDomain::Wildcard);
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) if !name.ends_with('.') && DnsName::try_from(name.as_str()).is_ok() => {
                Ok(Self(name))
            }
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Err(InvalidAcmeDomain::Address),
            _ => Err(InvalidAcmeDomain::Name),
        }
    }
}

impl fmt::Display for AcmeDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_domain_names_can_be_validated() {
        let parsed = |text: &str| text.parse().map(|AcmeDomain(name)| name);
        assert_eq!(parsed("Send.Example.org"), Ok("send.example.org".to_owned()));
        assert_eq!(parsed("bücher.example"), Ok("xn--bcher-kva.example".to_owned()));
        assert_eq!(parsed("intranet"), Ok("intranet".to_owned()));
        for address in ["192.0.2.1", "[2001:db8::1]", "0x7f.1"] {
            assert_eq!(parsed(address), Err(InvalidAcmeDomain::Address), "{address}");
        }
        assert_eq!(parsed("*.example.org"), Err(InvalidAcmeDomain::Wildcard));
        for other in
            ["", "https://send.example.org", "send.example.org:443", "send.example.org.", "a b", "a..b", "../a"]
        {
            assert_eq!(parsed(other), Err(InvalidAcmeDomain::Name), "{other}");
        }
    }
}
