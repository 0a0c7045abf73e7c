//! Destinations: a server's origin, and the proxy in front of it, as errors name them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::client::{Origin, Proxy, Reach};

/// Server of a connection, and the proxy in front of it.
#[derive(Clone, Debug)]
pub struct Destination(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    origin: Origin,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    /// Class of the addresses at which the server was reached so far.
    reach: Mutex<Option<Reach>>,
}

impl Destination {
    /// Creates the destination at `origin`, reached through `proxy` if there is one.
    #[must_use]
    pub fn new(origin: Origin, proxy: Option<Proxy>, connect_timeout: Duration) -> Self {
        Self(Arc::new(Parts { origin, proxy, connect_timeout, reach: Mutex::default() }))
    }

    /// Returns the server's origin.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// Returns the proxy that the connection goes through.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.0.proxy.as_ref()
    }

    /// Returns the timeout for establishing a connection.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.0.connect_timeout
    }

    /// Records the address of the peer that a response came from.
    pub(crate) fn note_peer(&self, peer: Option<SocketAddr>) {
        // The peer of a proxied request is the proxy.
        let Some(peer) = peer.filter(|_| self.proxy().is_none()) else { return };
        let found = Reach::of(peer.ip());
        let mut reach = self.0.reach.lock().expect("no thread panics while holding this lock");
        *reach = Some(reach.map_or(found, |earlier| earlier.and(found)));
    }

    /// Returns the class of the addresses at which the server was reached.
    ///
    /// A server whose address is unknown counts as public: one that did not respond yet, or that a proxy has resolved.
    pub(crate) fn reach(&self) -> Reach {
        let literal = self.origin().host().trim_matches(['[', ']']).parse::<IpAddr>().ok().map(Reach::of);
        let noted = || *self.0.reach.lock().expect("no thread panics while holding this lock");
        literal.or_else(noted).unwrap_or(Reach::Public)
    }

    /// Returns the proxy that responds to requests itself, because it can read them.
    pub(crate) fn forwarding_proxy(&self) -> Option<&Proxy> {
        self.proxy().filter(|proxy| !self.origin().is_https() && proxy.forwards_requests())
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.origin(), f)?;
        self.proxy().iter().try_for_each(|proxy| write!(f, " through the proxy {proxy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_as_public_as_any_address_it_was_reached_at() {
        let destination = |url: &str| Destination::new(Origin::of(&url.parse().unwrap()), None, Duration::ZERO);
        for (url, reach) in [
            ("http://127.0.0.1:8080", Reach::Loopback),
            ("https://[fd12::1]", Reach::Private),
            ("https://192.0.2.1", Reach::Public),
            ("https://send.example", Reach::Public),
        ] {
            assert_eq!(destination(url).reach(), reach, "{url}");
        }
        let named = destination("https://send.example");
        let reached = |peer: &str| {
            named.note_peer(Some(peer.parse().unwrap()));
            named.reach()
        };
        assert_eq!(reached("[::1]:443"), Reach::Loopback);
        assert_eq!(reached("10.0.0.1:443"), Reach::Private);
        assert_eq!(reached("192.0.2.1:443"), Reach::Public);
        assert_eq!(reached("127.0.0.1:443"), Reach::Public, "a server gained permissions by a change of its address");
    }
}
