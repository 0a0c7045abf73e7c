//! Addresses to which webhooks may go.
//!
//! A connection is made to the address that was checked, and to no other.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;
use url::{Host, Url};

use crate::domain::address::Reach;

/// Addresses to which a webhook may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressRules {
    /// Whether private and loopback addresses are allowed.
    pub(super) allow_private: bool,
    /// Whether the request is encrypted: without encryption, it must not cross the internet.
    pub(super) is_encrypted: bool,
}

/// Refused address of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RefusedAddress {
    /// Address of a private network or of this machine.
    #[error("the receiver has a private address, which --webhook-allow-private would allow")]
    Private,
    /// Unspecified, link-local, metadata or otherwise special address.
    #[error("the receiver has an unspecified, link-local, metadata or reserved address")]
    Special,
    /// Public address without encryption.
    #[error("the receiver has a public address, which needs https://")]
    Unencrypted,
}

/// The name of a receiver was not found.
#[derive(Debug, thiserror::Error)]
#[error("the name of the receiver cannot be resolved")]
pub(super) struct UnresolvedName(#[source] std::io::Error);

impl AddressRules {
    /// Checks one address.
    pub(super) fn check(self, address: IpAddr) -> Result<(), RefusedAddress> {
        match Reach::of(address) {
            Reach::Special => Err(RefusedAddress::Special),
            Reach::Private | Reach::Loopback if !self.allow_private => Err(RefusedAddress::Private),
            Reach::Public if !self.is_encrypted => Err(RefusedAddress::Unencrypted),
            Reach::Private | Reach::Loopback | Reach::Public => Ok(()),
        }
    }

    /// Checks a URL whose host is an address, which no resolver sees.
    pub(super) fn check_host(self, url: &Url) -> Result<(), RefusedAddress> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// Resolver that returns allowed addresses only.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckedResolver(pub(super) AddressRules);

impl CheckedResolver {
    async fn resolve(self, name: String) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        // Port 0 is replaced by the port of the URL.
        let found: Vec<_> = tokio::net::lookup_host((name, 0)).await.map_err(UnresolvedName)?.collect();
        let checked = found.iter().map(|address| self.0.check(address.ip()));
        let refused = checked.clone().find_map(Result::err);
        let allowed: Vec<_> =
            found.iter().zip(checked).filter(|(_, check)| check.is_ok()).map(|(one, _)| *one).collect();
        match refused {
            Some(refused) if allowed.is_empty() => Err(refused.into()),
            _ => Ok(allowed),
        }
    }
}

impl Service<Name> for CheckedResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = *self;
        Box::pin(async move { Ok(resolver.resolve(name.as_str().to_owned()).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_refused_whatever_is_allowed() {
        for allow_private in [false, true] {
            let rules = AddressRules { allow_private, is_encrypted: true };
            for special in ["0.0.0.0", "169.254.169.254", "::", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254"] {
                assert_eq!(rules.check(special.parse().unwrap()), Err(RefusedAddress::Special), "{special}");
            }
            for private in ["10.0.0.1", "127.0.0.1", "::1", "192.168.0.9", "fd12::1", "::ffff:127.0.0.1"] {
                assert_eq!(rules.check(private.parse().unwrap()).is_ok(), allow_private, "{private}");
            }
            assert_eq!(rules.check("192.0.2.1".parse().unwrap()), Ok(()));
            let plain = AddressRules { is_encrypted: false, ..rules };
            assert_eq!(plain.check("192.0.2.1".parse().unwrap()), Err(RefusedAddress::Unencrypted));
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_its_addresses() {
        let rules = AddressRules { allow_private: false, is_encrypted: true };
        let refused = async |rules, name: &str| {
            let resolved = CheckedResolver(rules).resolve(name.to_owned()).await;
            resolved.err().and_then(|error| error.downcast_ref::<RefusedAddress>().copied())
        };
        assert_eq!(refused(rules, "localhost").await, Some(RefusedAddress::Private));
        // A numeric name is resolved without a query.
        assert_eq!(refused(rules, "169.254.169.254").await, Some(RefusedAddress::Special));
        assert_eq!(refused(AddressRules { allow_private: true, ..rules }, "localhost").await, None);
        for url in ["https://[::ffff:169.254.169.254]/", "https://2852039166/", "https://0xa9fea9fe/"] {
            assert_eq!(rules.check_host(&url.parse().unwrap()), Err(RefusedAddress::Special), "{url}");
        }
    }
}
