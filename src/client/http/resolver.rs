//! Resolver of host names whose errors have a type of their own among connection errors.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolver of the operating system.
pub(super) struct SystemResolver;

/// The host name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct LookupError(#[from] io::Error);

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 is replaced by the port of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(LookupError)?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
