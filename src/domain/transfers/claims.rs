//! How many events clients may add.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use crate::domain::address::SiteKey;
use crate::domain::digest::Sha256;
use crate::domain::id::TransferId;
use crate::domain::timestamp::{Day, Timestamp};

/// Events that clients may add to one transfer.
pub(super) const PER_TRANSFER: u32 = 1_000;
/// Events that one grant, or one site without a grant, may add to one transfer in a day.
const PER_CLIENT: u32 = 20;
/// Events that one site may add to one transfer in a day, under however many grants.
const PER_SITE: u32 = 200;

/// Transfers whose events are counted. Of further ones, those that were added to longest ago are forgotten: their number
/// is in the store, and only what each claimant has added starts anew.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// Who adds an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Claimant {
    /// Whoever holds this grant.
    Grant(Sha256),
    /// Whoever asks from this site.
    Site(SiteKey),
}

/// What was added in this process and day. A transfer's own number is taken from the store before the first of them.
#[derive(Debug)]
pub(super) struct ClaimBudgets(Mutex<Today>);

#[derive(Debug)]
struct Today {
    day: Option<Day>,
    transfers: LruCache<TransferId, Claims>,
}

#[derive(Debug)]
struct Claims {
    added: u32,
    by: HashMap<Claimant, u32>,
    from: HashMap<SiteKey, u32>,
}

impl Default for ClaimBudgets {
    fn default() -> Self {
        Self(Mutex::new(Today { day: None, transfers: LruCache::new(REMEMBERED) }))
    }
}

impl ClaimBudgets {
    /// Takes note that a transfer has `added` events of clients.
    pub(super) fn learn(&self, id: TransferId, added: u32, now: Timestamp) {
        let mut today = self.0.lock().expect("nothing panics while it holds this lock");
        today.of(now).get_or_insert(id, || Claims { added, by: HashMap::new(), from: HashMap::new() });
    }

    /// Takes one event out of the budgets; `false` where one of them is used up, `None` where the number of events of
    /// this transfer is not known and must be learnt first.
    pub(super) fn take(&self, id: TransferId, claimant: Claimant, site: SiteKey, now: Timestamp) -> Option<bool> {
        let mut today = self.0.lock().expect("nothing panics while it holds this lock");
        let claims = today.of(now).get_mut(&id)?;
        if claims.added >= PER_TRANSFER {
            return Some(false);
        }
        let (own, of_site) = (claims.by.entry(claimant).or_default(), claims.from.entry(site).or_default());
        if *own >= PER_CLIENT || *of_site >= PER_SITE {
            return Some(false);
        }
        *own += 1;
        *of_site += 1;
        claims.added += 1;
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
        let (one, other) = (SiteKey::of_test(1), SiteKey::of_test(2));
        budgets.learn(id, 0, now);
        let grants = (0..50_u8).flat_map(|grant| [Claimant::Grant(Sha256::of(&[grant])); 30]);
        let added = grants.filter(|grant| budgets.take(id, *grant, one, now) == Some(true)).count();
        assert_eq!(added, PER_SITE as usize);
        assert_eq!(budgets.take(id, Claimant::Site(other), other, now), Some(true));
    }

    #[test]
    fn many_transfers_take_bounded_memory() {
        let (budgets, now) = (ClaimBudgets::default(), Timestamp::from_millis(0));
        let site = SiteKey::of_test(1);
        let claimant = Claimant::Site(site);
        let id = TransferId::random();
        assert_eq!(budgets.take(id, claimant, site, now), None, "nobody has counted yet");
        budgets.learn(id, PER_TRANSFER - 1, now);
        assert_eq!(budgets.take(id, claimant, site, now), Some(true));
        assert_eq!(budgets.take(id, claimant, site, now), Some(false));
        for _ in 0..REMEMBERED.get() {
            budgets.learn(TransferId::random(), 0, now);
        }
        assert_eq!(budgets.0.lock().unwrap().transfers.len(), REMEMBERED.get());
        assert_eq!(budgets.take(id, claimant, site, now), None, "a forgotten transfer is not counted anew");
    }
}
