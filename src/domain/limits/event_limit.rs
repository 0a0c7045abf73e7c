//! Limits on client events per transfer, client and network.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use crate::domain::address::NetworkKey;
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::TransferId;
use crate::domain::timestamp::{Day, Timestamp};

/// Maximum number of client events per transfer.
pub(crate) const PER_TRANSFER: u32 = 1_000;
/// Maximum number of events per transfer and UTC day from one grant, or from one network without a grant.
const PER_CLIENT: u32 = 20;
/// Maximum number of events per transfer and UTC day from one network, across all its grants.
const PER_NETWORK: u32 = 200;

/// Maximum number of transfers with event counts in memory; beyond it, the least recently used transfer is evicted.
///
/// The total of an evicted transfer is read again from the store; only its per-client counts restart at 0.
const CACHED_TRANSFERS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// Source of a client event, for the per-client limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claimant {
    /// Client with this grant, identified by the grant's SHA-256.
    Grant(Sha256),
    /// Client without a grant, identified by its network.
    Site(NetworkKey),
}

/// Event counts of this process and UTC day.
///
/// The first event of a transfer requires its total from the store, set by [`ClaimBudgets::learn`].
#[derive(Debug)]
pub(crate) struct ClaimBudgets(Mutex<Today>);

#[derive(Debug)]
struct Today {
    day: Option<Day>,
    transfers: LruCache<TransferId, Claims>,
}

#[derive(Debug)]
struct Claims {
    total: u32,
    by_client: HashMap<Claimant, u32>,
    by_network: HashMap<NetworkKey, u32>,
}

impl Default for ClaimBudgets {
    fn default() -> Self {
        Self(Mutex::new(Today { day: None, transfers: LruCache::new(CACHED_TRANSFERS) }))
    }
}

impl ClaimBudgets {
    /// Sets the total number of client events of a transfer, unless already known.
    pub(crate) fn learn(&self, id: TransferId, total: u32, now: Timestamp) {
        let mut today = self.0.lock().expect("the lock is never poisoned");
        today.of(now).get_or_insert(id, || Claims { total, by_client: HashMap::new(), by_network: HashMap::new() });
    }

    /// Counts one event; returns `false` if a limit is reached.
    ///
    /// Returns `None` if the transfer's total is unknown: call [`ClaimBudgets::learn`] and retry.
    pub(crate) fn take(&self, id: TransferId, claimant: Claimant, site: NetworkKey, now: Timestamp) -> Option<bool> {
        let mut today = self.0.lock().expect("the lock is never poisoned");
        let claims = today.of(now).get_mut(&id)?;
        if claims.total >= PER_TRANSFER {
            return Some(false);
        }
        let (of_client, of_network) =
            (claims.by_client.entry(claimant).or_default(), claims.by_network.entry(site).or_default());
        if *of_client >= PER_CLIENT || *of_network >= PER_NETWORK {
            return Some(false);
        }
        *of_client += 1;
        *of_network += 1;
        claims.total += 1;
        Some(true)
    }
}

impl Today {
    fn of(&mut self, now: Timestamp) -> &mut LruCache<TransferId, Claims> {
        let today = now.day();
        if self.day.as_ref() != Some(&today) {
            self.day = Some(today);
            self.transfers.clear();
        }
        &mut self.transfers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_with_many_grants_leaves_room_for_others() {
        let (budgets, now, id) = (ClaimBudgets::default(), Timestamp::from_millis(0), TransferId::random());
        let (one, other) = (NetworkKey::of_test(1), NetworkKey::of_test(2));
        budgets.learn(id, 0, now);
        let grants = (0..50_u8).flat_map(|grant| [Claimant::Grant(Sha256::of(&[grant])); 30]);
        let added = grants.filter(|grant| budgets.take(id, *grant, one, now) == Some(true)).count();
        assert_eq!(added, PER_NETWORK as usize);
        assert_eq!(budgets.take(id, Claimant::Site(other), other, now), Some(true));
    }

    #[test]
    fn many_transfers_take_bounded_memory() {
        let (budgets, now) = (ClaimBudgets::default(), Timestamp::from_millis(0));
        let site = NetworkKey::of_test(1);
        let claimant = Claimant::Site(site);
        let id = TransferId::random();
        assert_eq!(budgets.take(id, claimant, site, now), None, "the total is not read from the store");
        budgets.learn(id, PER_TRANSFER - 1, now);
        assert_eq!(budgets.take(id, claimant, site, now), Some(true));
        assert_eq!(budgets.take(id, claimant, site, now), Some(false));
        for _ in 0..CACHED_TRANSFERS.get() {
            budgets.learn(TransferId::random(), 0, now);
        }
        assert_eq!(budgets.0.lock().unwrap().transfers.len(), CACHED_TRANSFERS.get());
        assert_eq!(budgets.take(id, claimant, site, now), None, "the total of an evicted transfer is not read again");
    }
}
