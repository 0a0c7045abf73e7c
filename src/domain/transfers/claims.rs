//! How many events clients may add.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::address::ClientKey;
use crate::domain::digest::Sha256;
use crate::domain::id::TransferId;
use crate::domain::timestamp::{Day, Timestamp};

/// Events that clients may add to one transfer.
pub(super) const PER_TRANSFER: u32 = 1_000;
/// Events that one grant, or one address without a grant, may add to one transfer in a day.
const PER_CLIENT: u32 = 20;

/// Who adds an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Claimant {
    /// Whoever holds this grant.
    Grant(Sha256),
    /// Whoever asks from this address.
    Address(ClientKey),
}

/// What was added in this process and day. The transfer's own number is taken from the store at its first event.
#[derive(Debug, Default)]
pub(super) struct ClaimBudgets(Mutex<Today>);

#[derive(Debug, Default)]
struct Today {
    day: Option<Day>,
    transfers: HashMap<TransferId, Claims>,
}

#[derive(Debug)]
struct Claims {
    added: u32,
    by: HashMap<Claimant, u32>,
}

impl ClaimBudgets {
    /// Whether the number of events of this transfer is known.
    pub(super) fn knows(&self, id: TransferId, now: Timestamp) -> bool {
        self.0.lock().expect("nothing panics while it holds this lock").of(now).contains_key(&id)
    }

    /// Takes note that a transfer has `added` events of clients.
    pub(super) fn learn(&self, id: TransferId, added: u32, now: Timestamp) {
        let mut today = self.0.lock().expect("nothing panics while it holds this lock");
        today.of(now).entry(id).or_insert(Claims { added, by: HashMap::new() });
    }

    /// Takes one event out of the budgets; `false` where one of them is used up.
    pub(super) fn take(&self, id: TransferId, claimant: Claimant, now: Timestamp) -> bool {
        let mut today = self.0.lock().expect("nothing panics while it holds this lock");
        let claims = today.of(now).entry(id).or_insert(Claims { added: 0, by: HashMap::new() });
        if claims.added >= PER_TRANSFER {
            return false;
        }
        let own = claims.by.entry(claimant).or_default();
        if *own >= PER_CLIENT {
            return false;
        }
        *own += 1;
        claims.added += 1;
        true
    }
}

impl Today {
    fn of(&mut self, now: Timestamp) -> &mut HashMap<TransferId, Claims> {
        let today = now.day();
        if self.day.as_ref() != Some(&today) {
            *self = Self { day: Some(today), transfers: HashMap::new() };
        }
        &mut self.transfers
    }
}
