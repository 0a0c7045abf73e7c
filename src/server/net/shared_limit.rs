//! Limits concurrent uses of a costly operation, in all and per network.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::address::NetworkKey;
use crate::domain::error::Error;
use crate::domain::limits::LimitName;
use crate::domain::limits::concurrency::{Concurrency, Permit};

/// `Retry-After` of a request that exceeds a limit.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Limit of one server process on concurrent uses, of which a network may have a share.
pub(crate) struct SharedLimit {
    limit: LimitName,
    all: Arc<Semaphore>,
    by_network: Concurrency<NetworkKey>,
}

/// Permit of one use, returned on drop.
pub(crate) struct SharedPermit {
    _all: OwnedSemaphorePermit,
    _network: Option<Permit<NetworkKey>>,
}

impl SharedLimit {
    /// Creates a limit of `all` concurrent uses, of which one network may have `per_network`.
    pub(crate) fn new(limit: LimitName, all: usize, per_network: usize) -> Self {
        Self { limit, all: Arc::new(Semaphore::new(all)), by_network: Concurrency::per_key(per_network) }
    }

    /// Returns a permit for another use; counts the use for `network` unless that is `None`.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the network has as many uses as it may; [`Error::ServerBusy`] if all are in use.
    pub(crate) fn acquire(&self, network: Option<NetworkKey>) -> Result<SharedPermit, Error> {
        let of_network = network.map(|network| self.by_network.try_acquire(network));
        let of_network = match of_network {
            Some(None) => return Err(Error::RateLimited { limit: self.limit, retry_after: RETRY_AFTER }),
            Some(permit) => permit,
            None => None,
        };
        let use_in_all = self.all.clone().try_acquire_owned();
        let use_in_all = use_in_all.map_err(|_| Error::ServerBusy { limit: self.limit, retry_after: RETRY_AFTER })?;
        Ok(SharedPermit { _all: use_in_all, _network: of_network })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_a_share_and_the_process_a_maximum() {
        let limit = SharedLimit::new(LimitName::Lists, 8, 2);
        let (one, other) = (NetworkKey::of_test(1), NetworkKey::of_test(2));
        let uses: Vec<_> = (0..3).filter_map(|_| limit.acquire(Some(one)).ok()).collect();
        assert_eq!(uses.len(), 2);
        assert!(matches!(limit.acquire(Some(one)), Err(Error::RateLimited { .. })));
        let further = limit.acquire(Some(other)).unwrap();
        let unlimited: Vec<_> = (0..10).filter_map(|_| limit.acquire(None).ok()).collect();
        assert_eq!(unlimited.len(), 5);
        assert!(matches!(limit.acquire(Some(other)), Err(Error::ServerBusy { .. })));
        drop(further);
        limit.acquire(Some(other)).unwrap();
    }
}
