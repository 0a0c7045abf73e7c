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
use crate::domain::random;
use crate::domain::timestamp::Timestamp;

/// An entry of this age belongs to a process that has ended, or to a request that nobody waits for any more.
const ABANDONED_AFTER: Duration = Duration::from_hours(1);

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
    /// Of a reservation: tells it from another one for the same transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<Mark>,
}

impl Unsettled {
    const fn name(&self) -> Entry {
        Entry { transfer_id: self.transfer_id, step: self.step, mark: self.mark }
    }
}

/// Tells reservations for the same transfer apart: the transfer keeps that of the one that it lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(u32);

impl Mark {
    fn random() -> Self {
        Self(u32::from_be_bytes(random::bytes()))
    }
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

/// Names an entry of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Which transfer it is about.
    pub transfer_id: TransferId,
    /// What was done for it.
    pub step: Step,
    /// Which reservation it is, of those for the same transfer.
    pub mark: Option<Mark>,
}

impl Entry {
    /// The reservation of a transfer.
    #[must_use]
    pub const fn reserved(transfer_id: TransferId, mark: Mark) -> Self {
        Self { transfer_id, step: Step::Reserved, mark: Some(mark) }
    }

    /// The release of a transfer.
    #[must_use]
    pub const fn released(transfer_id: TransferId) -> Self {
        Self { transfer_id, step: Step::Released, mark: None }
    }
}

/// What became of an entry that was left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transfer says what is counted here.
    Settled,
    /// There is no transfer that lives on it, and none will come: it goes back.
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
    pub fn reserve(&mut self, transfer_id: TransferId, bytes: u64, now: Timestamp) -> Result<Mark, Error> {
        let is_it = |entry: &&mut Unsettled| entry.transfer_id == transfer_id && entry.step == Step::Reserved;
        if let Some(Unsettled { at, mark: Some(mark), .. }) = self.unsettled.iter_mut().find(is_it) {
            // Whoever asks again is about to create it: the entry must not be taken for one left behind.
            *at = now;
            return Ok(*mark);
        }
        let (transfers_created, bytes_held) = self.with(bytes)?;
        (self.transfers_created, self.bytes_held) = (transfers_created, bytes_held);
        let mark = Mark::random();
        self.unsettled.push(Unsettled { transfer_id, step: Step::Reserved, bytes, at: now, mark: Some(mark) });
        Ok(mark)
    }

    /// What would be used with another transfer of `bytes`.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`] where that is too much.
    pub fn with(&self, bytes: u64) -> Result<(u64, u64), Error> {
        let exceeded = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        let transfers_created = self.transfers_created.saturating_add(1);
        if exceeded(self.max_transfers, transfers_created) {
            return Err(Error::QuotaExceeded { member: "max_transfers" });
        }
        let bytes_held = self.bytes_held.saturating_add(bytes);
        if exceeded(self.max_total_bytes, bytes_held) {
            return Err(Error::QuotaExceeded { member: "max_total_bytes" });
        }
        Ok((transfers_created, bytes_held))
    }

    /// Gives a reservation back that led to no transfer.
    pub fn cancel(&mut self, transfer_id: TransferId, mark: Mark) {
        if let Some(gone) = self.take(transfer_id, Step::Reserved, Some(mark)) {
            self.transfers_created = self.transfers_created.saturating_sub(1);
            self.bytes_held = self.bytes_held.saturating_sub(gone.bytes);
        }
    }

    /// Gives back the bytes of a transfer whose payload is gone; once, however often it is told so.
    pub fn release(&mut self, transfer_id: TransferId, bytes: u64, now: Timestamp) {
        let done = |entry: &Unsettled| entry.transfer_id == transfer_id && entry.step == Step::Released;
        if self.unsettled.iter().any(done) {
            return;
        }
        self.bytes_held = self.bytes_held.saturating_sub(bytes);
        self.unsettled.push(Unsettled { transfer_id, step: Step::Released, bytes, at: now, mark: None });
    }

    /// Forgets an entry whose transfer says by now what is counted here; answers whether there was one.
    pub fn settle(&mut self, entry: Entry) -> bool {
        self.take(entry.transfer_id, entry.step, entry.mark).is_some()
    }

    /// What is counted while its transfer may not yet say so, with its bytes.
    pub fn unsettled(&self) -> impl Iterator<Item = (Entry, u64)> {
        self.unsettled.iter().map(|entry| (entry.name(), entry.bytes))
    }

    /// The entries that were left behind.
    pub fn abandoned(&self, now: Timestamp) -> impl Iterator<Item = Entry> {
        let old = move |entry: &&Unsettled| entry.at.plus(ABANDONED_AFTER) <= now;
        self.unsettled.iter().filter(old).map(Unsettled::name)
    }

    /// Ends what was left behind, by what was found out about it.
    pub fn end_abandoned(&mut self, verdicts: &HashMap<Entry, Verdict>, now: Timestamp) {
        let abandoned: Vec<_> = self.abandoned(now).collect();
        for entry in abandoned {
            match (verdicts.get(&entry), entry.mark) {
                (Some(Verdict::NeverCame), Some(mark)) => self.cancel(entry.transfer_id, mark),
                (Some(_), _) => drop(self.settle(entry)),
                (None, _) => {}
            }
        }
    }

    fn take(&mut self, transfer_id: TransferId, step: Step, mark: Option<Mark>) -> Option<Unsettled> {
        let is_it = |entry: &Unsettled| entry.transfer_id == transfer_id && entry.step == step && entry.mark == mark;
        let at = self.unsettled.iter().position(is_it)?;
        Some(self.unsettled.remove(at))
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
        quota.reserve(first, 60, NOW).unwrap();
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
        let mark = quota.reserve(id, 10, NOW).unwrap();
        assert_eq!(quota.reserve(id, 10, NOW).unwrap(), mark);
        assert_eq!(used(&quota), (1, 10));
        assert!(quota.settle(Entry::reserved(id, mark)));
        quota.release(id, 10, NOW);
        quota.release(id, 10, NOW);
        assert_eq!(used(&quota), (1, 0));
        assert!(quota.settle(Entry::released(id)));
        assert_eq!(quota, Quota { transfers_created: 1, ..super::tests::quota() }, "entries were left");
    }

    #[test]
    fn only_the_reservation_that_is_meant_is_given_back() {
        let (mut quota, id) = (quota(), TransferId::random());
        let first = quota.reserve(id, 10, NOW).unwrap();
        quota.settle(Entry::reserved(id, first));
        let second = quota.reserve(id, 10, NOW).unwrap();
        assert_eq!(used(&quota), (2, 20));
        quota.cancel(id, first);
        assert_eq!(used(&quota), (2, 20), "what a transfer lives on was given back");
        quota.cancel(id, second);
        assert_eq!(used(&quota), (1, 10));
    }

    #[test]
    fn what_a_crash_left_is_ended_by_what_became_of_it() {
        let [came, never, released, unknown] = [(); 4].map(|()| TransferId::random());
        let mut quota = Quota::new(None, Some(1_000)).unwrap();
        let [came, never, released, unknown] =
            [came, never, released, unknown].map(|id| Entry::reserved(id, quota.reserve(id, 100, NOW).unwrap()));
        quota.settle(released);
        quota.release(released.transfer_id, 100, NOW);
        assert_eq!(quota.abandoned(NOW.plus(Duration::from_mins(59))).count(), 0);
        let later = NOW.plus(ABANDONED_AFTER);
        assert_eq!(quota.abandoned(later).count(), 4);
        let verdicts = [
            (came, Verdict::Settled),
            (never, Verdict::NeverCame),
            (Entry::released(released.transfer_id), Verdict::Settled),
        ];
        quota.end_abandoned(&verdicts.into(), later);
        assert_eq!(quota.bytes_held(), Some(200));
        assert_eq!(quota.abandoned(later).collect::<Vec<_>>(), [unknown]);
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
