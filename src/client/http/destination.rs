//! Destinations: a server's origin, and the proxy in front of it, as errors name them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Origin, Proxy};

/// Server of a connection, and the proxy in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    origin: Origin,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
}

impl Destination {
    /// Creates the destination at `origin`, reached through `proxy` if there is one.
    #[must_use]
    pub fn new(origin: Origin, proxy: Option<Proxy>, connect_timeout: Duration) -> Self {
        Self(Arc::new(Parts { origin, proxy, connect_timeout }))
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
