//! How much a sender token may be used for, and how much of that is used.
//!
//! What a transfer takes is reserved here before the transfer exists, and given back after its payload is gone. Both are
//! two writes to two objects, so each leaves an entry here until the other object is known to have followed: a crash in
//! between can then neither be counted twice nor be forgotten.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;

/// An entry of this age belongs to a process that has ended, or to a request that nobody waits for any more.
const ABANDONED_AFTER: Duration = Duration::from_hours(1);
/// Releases that are remembered although they are settled, for whoever is about to do one of them again.
const REMEMBERED: usize = 64;

/// The limits of a token, and what is used of them. A number is counted only where it is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// How many transfers it may create, ever; `None` is any number.
    pub max_transfers: Option<u64>,
    /// How many bytes of sealed payload its transfers may hold at once, as declared; `None` is any number.
    pub max_total_bytes: Option<u64>,
    /// Transfers created, or about to be.
    transfers_created: u64,
    /// Bytes declared and not yet removed.
    bytes_held: u64,
    /// What is counted above while its transfer may not yet say so.
    unsettled: Vec<Unsettled>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unsettled {
    transfer_id: TransferId,
    step: Step,
    bytes: u64,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
}

/// What was done to a quota for a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// It was taken, before the transfer was created.
    Reserved,
    /// It was given back, before the transfer was told so.
    Released,
}

/// Who counted a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The caller.
    Made,
    /// An earlier request with the same idempotency key.
    Found,
}

/// What became of an entry that was left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transfer says what is counted here.
    Settled,
    /// There is no such transfer, and none will come: its reservation goes back.
    NeverCame,
}

impl Quota {
    /// A quota with these limits; `None` where there are none.
    #[must_use]
    pub fn new(max_transfers: Option<u64>, max_total_bytes: Option<u64>) -> Option<Self> {
        let limited = max_transfers.is_some() || max_total_bytes.is_some();
        limited.then(|| Self { max_transfers, max_total_bytes, ..Self::default() })
    }

    /// Transfers created, where that is limited.
    #[must_use]
    pub fn transfers_created(&self) -> Option<u64> {
        self.max_transfers.map(|_| self.transfers_created)
    }

    /// Bytes held, where that is limited.
    #[must_use]
    pub fn bytes_held(&self) -> Option<u64> {
        self.max_total_bytes.map(|_| self.bytes_held)
    }

    /// Reserves one transfer of `bytes`; once, however often it is asked for the same one.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`], after which nothing is reserved.
    pub fn reserve(&mut self, transfer_id: TransferId, bytes: u64, now: Timestamp) -> Result<Reservation, Error> {
        if let Some(known) = self.find(transfer_id, Step::Reserved) {
            // Whoever asks again is about to create it: the entry must not be taken for one left behind.
            known.at = now;
            return Ok(Reservation::Found);
        }
        let exceeded = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        let transfers_created = self.transfers_created.saturating_add(1);
        if exceeded(self.max_transfers, transfers_created) {
            return Err(Error::QuotaExceeded { member: "max_transfers" });
        }
        let bytes_held = self.bytes_held.saturating_add(bytes);
        if exceeded(self.max_total_bytes, bytes_held) {
            return Err(Error::QuotaExceeded { member: "max_total_bytes" });
        }
        (self.transfers_created, self.bytes_held) = (transfers_created, bytes_held);
        self.push(transfer_id, Step::Reserved, bytes, now);
        Ok(Reservation::Made)
    }

    /// Gives a reservation back that led to no transfer.
    pub fn cancel(&mut self, transfer_id: TransferId) {
        if let Some(gone) = self.take(transfer_id, Step::Reserved) {
            self.transfers_created = self.transfers_created.saturating_sub(1);
            self.bytes_held = self.bytes_held.saturating_sub(gone.bytes);
        }
    }

    /// Gives back the bytes of a transfer whose payload is gone; once, however often it is told so.
    pub fn release(&mut self, transfer_id: TransferId, bytes: u64, now: Timestamp) {
        if self.find(transfer_id, Step::Released).is_some() {
            return;
        }
        // A transfer that has ended was created: nobody need find that out any more.
        self.take(transfer_id, Step::Reserved);
        self.bytes_held = self.bytes_held.saturating_sub(bytes);
        self.push(transfer_id, Step::Released, bytes, now);
    }

    /// Notes that a transfer says by now what is counted here.
    pub fn settle(&mut self, transfer_id: TransferId, step: Step) {
        match step {
            Step::Reserved => drop(self.take(transfer_id, step)),
            Step::Released => {
                if let Some(entry) = self.find(transfer_id, step) {
                    entry.settled = true;
                }
                let settled = self.unsettled.iter().filter(|entry| entry.settled).count();
                let mut too_many = settled.saturating_sub(REMEMBERED);
                self.unsettled.retain(|entry| {
                    let goes = entry.settled && too_many > 0;
                    too_many -= usize::from(goes);
                    !goes
                });
            }
        }
    }

    /// The entries that were left behind.
    pub fn abandoned(&self, now: Timestamp) -> impl Iterator<Item = (TransferId, Step)> {
        let old = move |entry: &&Unsettled| !entry.settled && entry.at.plus(ABANDONED_AFTER) <= now;
        self.unsettled.iter().filter(old).map(|entry| (entry.transfer_id, entry.step))
    }

    /// Ends what was left behind, by what was found out about it.
    pub fn end_abandoned(&mut self, verdicts: &HashMap<(TransferId, Step), Verdict>, now: Timestamp) {
        let abandoned: Vec<_> = self.abandoned(now).collect();
        for (transfer_id, step) in abandoned {
            match (verdicts.get(&(transfer_id, step)), step) {
                (Some(Verdict::NeverCame), Step::Reserved) => self.cancel(transfer_id),
                (Some(_), _) => self.settle(transfer_id, step),
                (None, _) => {}
            }
        }
    }

    fn find(&mut self, transfer_id: TransferId, step: Step) -> Option<&mut Unsettled> {
        self.unsettled.iter_mut().find(|entry| entry.transfer_id == transfer_id && entry.step == step)
    }

    fn take(&mut self, transfer_id: TransferId, step: Step) -> Option<Unsettled> {
        let is_it = |entry: &Unsettled| entry.transfer_id == transfer_id && entry.step == step;
        let at = self.unsettled.iter().position(is_it)?;
        Some(self.unsettled.remove(at))
    }

    fn push(&mut self, transfer_id: TransferId, step: Step, bytes: u64, at: Timestamp) {
        self.unsettled.push(Unsettled { transfer_id, step, bytes, at, settled: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn quota() -> Quota {
        Quota::new(Some(3), Some(100)).unwrap()
    }

    fn used(quota: &Quota) -> (u64, u64) {
        (quota.transfers_created().unwrap(), quota.bytes_held().unwrap())
    }

    #[test]
    fn limits_are_exact() {
        let mut quota = quota();
        let [first, second, third] = [(); 3].map(|()| TransferId::random());
        assert_eq!(quota.reserve(first, 60, NOW).unwrap(), Reservation::Made);
        let error = quota.reserve(second, 41, NOW).unwrap_err();
        assert!(matches!(error, Error::QuotaExceeded { member: "max_total_bytes" }));
        assert_eq!(used(&quota), (1, 60), "a refusal took something");
        quota.reserve(second, 40, NOW).unwrap();
        quota.release(first, 60, NOW);
        quota.reserve(third, 60, NOW).unwrap();
        quota.release(second, 40, NOW);
        let error = quota.reserve(TransferId::random(), 1, NOW).unwrap_err();
        assert!(matches!(error, Error::QuotaExceeded { member: "max_transfers" }), "removal gave a creation back");
        assert_eq!(used(&quota), (3, 60));
    }

    #[test]
    fn sizes_beyond_all_measure_exceed_it() {
        let mut quota = quota();
        quota.reserve(TransferId::random(), 1, NOW).unwrap();
        quota.reserve(TransferId::random(), u64::MAX, NOW).unwrap_err();
        assert_eq!(used(&quota), (1, 1));
    }

    #[test]
    fn each_step_counts_once() {
        let (mut quota, id) = (quota(), TransferId::random());
        quota.reserve(id, 10, NOW).unwrap();
        assert_eq!(quota.reserve(id, 10, NOW).unwrap(), Reservation::Found);
        assert_eq!(used(&quota), (1, 10));
        quota.release(id, 10, NOW);
        quota.release(id, 10, NOW);
        assert_eq!(used(&quota), (1, 0));
        quota.settle(id, Step::Released);
        quota.release(id, 10, NOW);
        assert_eq!(used(&quota), (1, 0), "who came late gave the same back again");
    }

    #[test]
    fn what_is_settled_is_remembered_for_a_while_only() {
        let mut quota = Quota::new(None, Some(1_000)).unwrap();
        let ids: Vec<_> = (0..REMEMBERED + 5).map(|_| TransferId::random()).collect();
        for id in &ids {
            quota.reserve(*id, 1, NOW).unwrap();
            quota.release(*id, 1, NOW);
            quota.settle(*id, Step::Released);
        }
        let left: Vec<_> = quota.unsettled.iter().map(|entry| entry.transfer_id).collect();
        assert_eq!(left, ids[5..]);
        assert_eq!(quota.abandoned(NOW.plus(ABANDONED_AFTER)).count(), 0);
    }

    #[test]
    fn what_a_crash_left_is_ended_by_what_became_of_it() {
        let [came, never, released, unknown] = [(); 4].map(|()| TransferId::random());
        let mut quota = Quota::new(None, Some(1_000)).unwrap();
        for id in [came, never, released, unknown] {
            quota.reserve(id, 100, NOW).unwrap();
        }
        quota.release(released, 100, NOW);
        assert_eq!(quota.abandoned(NOW.plus(Duration::from_mins(59))).count(), 0);
        let later = NOW.plus(ABANDONED_AFTER);
        assert_eq!(quota.abandoned(later).count(), 4);
        let verdicts = [
            ((came, Step::Reserved), Verdict::Settled),
            ((never, Step::Reserved), Verdict::NeverCame),
            ((released, Step::Released), Verdict::Settled),
        ];
        quota.end_abandoned(&verdicts.into(), later);
        assert_eq!(quota.bytes_held(), Some(200));
        assert_eq!(quota.abandoned(later).collect::<Vec<_>>(), [(unknown, Step::Reserved)]);
    }

    #[test]
    fn who_asks_again_is_not_taken_for_gone() {
        let (mut quota, id) = (quota(), TransferId::random());
        quota.reserve(id, 10, NOW).unwrap();
        let later = NOW.plus(ABANDONED_AFTER);
        assert_eq!(quota.abandoned(later).count(), 1);
        quota.reserve(id, 10, later).unwrap();
        assert_eq!(quota.abandoned(later).count(), 0);
    }
}
