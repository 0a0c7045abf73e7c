//! Resolvers of host names whose errors have types of their own among connection errors.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::client::{Destination, Reach};

/// Resolver of the operating system.
pub(super) struct SystemResolver;

/// Resolver for payload stores: returns only addresses to which the service may direct this client.
///
/// Since connections use the addresses returned here, a name that changes its addresses evades no check.
pub(super) struct StoreResolver {
    /// The service that names the stores.
    pub service: Destination,
    /// Host name of the user's own proxy, which may be anywhere.
    pub proxy: Option<String>,
}

/// The host name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct LookupError(#[from] io::Error);

/// The host name has only addresses to which the service may not direct this client.
#[derive(Debug, thiserror::Error)]
#[error("the host name belongs to {0}")]
pub(super) struct ForbiddenAddress(pub Reach);

async fn lookup(name: Name) -> Result<Vec<SocketAddr>, LookupError> {
    // Port 0 is replaced by the port of the URL.
    Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect())
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move { Ok(Box::new(lookup(name).await?.into_iter()) as Addrs) })
    }
}

impl Resolve for StoreResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy.as_deref().is_some_and(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        let service = self.service.clone();
        Box::pin(async move {
            let mut found = lookup(name).await?;
            if !is_proxy {
                let first = found.first().map(|address| Reach::of(address.ip()));
                found.retain(|address| service.reach().may_direct_to(Reach::of(address.ip())));
                if let Some(reach) = first.filter(|_| found.is_empty()) {
                    return Err(ForbiddenAddress(reach).into());
                }
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::Origin;

    #[tokio::test]
    async fn resolved_addresses_are_judged_by_those_of_the_service() {
        let service = |url: &str| Destination::new(Origin::of(&url.parse().unwrap()), None, Duration::ZERO);
        let resolve = async |service: &Destination, proxy: Option<&str>, name: &str| {
            let resolver = StoreResolver { service: service.clone(), proxy: proxy.map(str::to_owned) };
            match resolver.resolve(name.parse().unwrap()).await {
                Ok(found) => Ok(found.count()),
                Err(error) => Err(error.downcast_ref::<ForbiddenAddress>().unwrap().0),
            }
        };
        let (public, loopback) = (service("https://send.example"), service("http://127.0.0.1:8080"));
        // A numeric name is resolved without a query.
        for (name, reach) in [
            ("localhost", Reach::Loopback),
            ("127.0.0.1", Reach::Loopback),
            ("10.0.0.1", Reach::Private),
            ("169.254.169.254", Reach::Special),
            ("::ffff:10.0.0.1", Reach::Private),
        ] {
            assert_eq!(resolve(&public, None, name).await, Err(reach), "{name}");
            let from_loopback = resolve(&loopback, None, name).await;
            assert_eq!(from_loopback.is_ok(), reach != Reach::Special, "{name}");
        }
        assert_eq!(resolve(&public, None, "192.0.2.1").await, Ok(1));
        assert_eq!(resolve(&public, Some("10.0.0.1"), "10.0.0.1").await, Ok(1), "the user's proxy was refused");
        // The service is reached elsewhere between two connections.
        let moving = service("https://send.example");
        moving.note_peer(Some("10.0.0.9:443".parse().unwrap()));
        assert_eq!(resolve(&moving, None, "10.0.0.1").await, Ok(1));
        moving.note_peer(Some("192.0.2.1:443".parse().unwrap()));
        assert_eq!(resolve(&moving, None, "10.0.0.1").await, Err(Reach::Private));
    }
}
