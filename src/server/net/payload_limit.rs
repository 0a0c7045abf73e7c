//! Limits concurrent payload streams: uploads and downloads through this service.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::address::NetworkKey;
use crate::domain::error::Error;
use crate::domain::limits::concurrency::{Concurrency, Permit};

/// Maximum payload streams of a process; the file descriptor limit can reduce this maximum.
///
/// A client that stops reading costs up to 512 KiB: a block that is being sent, and one read ahead.
pub(crate) const MAX_STREAMS: usize = 1_024;
/// Maximum payload streams of one network; its share of a smaller maximum follows.
const MAX_PER_NETWORK: usize = 64;
const NETWORK_SHARE_DIVISOR: usize = 4;
/// `Retry-After` of a request that exceeds a limit.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The payload streams of one server process.
pub(crate) struct PayloadLimit {
    all: Arc<Semaphore>,
    by_network: Concurrency<NetworkKey>,
}

/// The permit of one payload stream, returned on drop. Held by the body of a response and its blocks.
pub(crate) struct PayloadPermit {
    _stream: OwnedSemaphorePermit,
    _network: Option<Permit<NetworkKey>>,
}

impl PayloadLimit {
    /// Creates a limit of `streams` payload streams at once.
    pub(crate) fn new(streams: usize) -> Self {
        let per_network = (streams / NETWORK_SHARE_DIVISOR).clamp(1, MAX_PER_NETWORK);
        Self { all: Arc::new(Semaphore::new(streams)), by_network: Concurrency::per_key(per_network) }
    }

    /// Returns a permit for another stream; counts it for `network` unless that is `None`.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the network has as many streams as it may; [`Error::ServerBusy`] if all streams are in
    /// use.
    pub(crate) fn acquire(&self, network: Option<NetworkKey>) -> Result<PayloadPermit, Error> {
        let of_network = network.map(|network| self.by_network.try_acquire(network));
        let of_network = match of_network {
            Some(None) => return Err(Error::RateLimited { retry_after: RETRY_AFTER }),
            Some(permit) => permit,
            None => None,
        };
        let stream = self.all.clone().try_acquire_owned();
        let stream = stream.map_err(|_| Error::ServerBusy { retry_after: RETRY_AFTER })?;
        Ok(PayloadPermit { _stream: stream, _network: of_network })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_a_share_and_the_process_a_maximum() {
        let limit = PayloadLimit::new(8);
        let (one, other) = (NetworkKey::of_test(1), NetworkKey::of_test(2));
        let streams: Vec<_> = (0..3).filter_map(|_| limit.acquire(Some(one)).ok()).collect();
        assert_eq!(streams.len(), 2);
        assert!(matches!(limit.acquire(Some(one)), Err(Error::RateLimited { .. })));
        let further = limit.acquire(Some(other)).unwrap();
        let unlimited: Vec<_> = (0..10).filter_map(|_| limit.acquire(None).ok()).collect();
        assert_eq!(unlimited.len(), 5);
        assert!(matches!(limit.acquire(Some(other)), Err(Error::ServerBusy { .. })));
        drop(further);
        limit.acquire(Some(other)).unwrap();
    }
}
