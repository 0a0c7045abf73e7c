//! Quota of a sender token: its limits and their current use.
//!
//! The quota reserves a transfer's share before the transfer is created, and releases the bytes after its payload is
//! removed. Both steps write two objects, token and transfer. Each step therefore keeps an entry in the quota until the
//! transfer records the step too, so that a crash between the two writes neither loses a step nor counts a step twice.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::crypto::random;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;

/// Age at which an entry counts as abandoned: its process has ended, or its request has long timed out.
const ABANDONED_AFTER: Duration = Duration::from_hours(1);

/// Limits of a token and their current use, which is counted with or without limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Maximum number of transfers ever created; `None` means unlimited.
    pub max_transfers: Option<u64>,
    /// Maximum total of the declared encrypted sizes of stored transfers, in bytes; `None` means unlimited.
    pub max_total_bytes: Option<u64>,
    /// Number of transfers created or reserved.
    transfers_created: u64,
    /// Declared encrypted bytes of reserved and existing transfers without a released payload.
    bytes_held: u64,
    /// Steps counted above, but possibly not yet recorded in their transfers.
    unsettled: Vec<UnrecordedStep>,
    /// Whether the use above includes all transfers. Layouts 1 and 2 counted it only for the limits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    counts_all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnrecordedStep {
    transfer_id: TransferId,
    step: QuotaStep,
    bytes: u64,
    at: Timestamp,
    /// Distinguishes several reservations for the same transfer; `None` for a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<ReservationMark>,
}

impl UnrecordedStep {
    const fn name(&self) -> QuotaEntry {
        QuotaEntry { transfer_id: self.transfer_id, step: self.step, mark: self.mark }
    }
}

/// Random mark of a reservation, to distinguish several reservations for the same transfer.
///
/// The transfer records the mark of the reservation used for its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReservationMark(u32);

impl ReservationMark {
    fn random() -> Self {
        Self(u32::from_be_bytes(random::bytes()))
    }
}

/// Change of a quota for a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotaStep {
    /// Reserved a share of the quota, before the creation of the transfer.
    Reserved,
    /// Released the bytes, before the transfer recorded the release.
    Released,
}

/// Identifies an entry of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuotaEntry {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Step recorded by the entry.
    pub step: QuotaStep,
    /// Mark of the reservation; `None` for a release.
    pub mark: Option<ReservationMark>,
}

impl QuotaEntry {
    /// Identifies a reservation of a transfer.
    #[must_use]
    pub const fn reserved(transfer_id: TransferId, mark: ReservationMark) -> Self {
        Self { transfer_id, step: QuotaStep::Reserved, mark: Some(mark) }
    }

    /// Identifies the release of a transfer.
    #[must_use]
    pub const fn released(transfer_id: TransferId) -> Self {
        Self { transfer_id, step: QuotaStep::Released, mark: None }
    }
}

/// Outcome of checking an abandoned entry against its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryOutcome {
    /// The transfer has recorded the step: the entry is obsolete.
    Completed,
    /// No transfer uses the reservation, nor ever will: the reservation is released.
    Unused,
}

/// Verdicts on abandoned entries.
pub type Verdicts = HashMap<QuotaEntry, EntryOutcome>;

impl Quota {
    /// Creates the quota of a new token with these limits.
    #[must_use]
    pub fn new(max_transfers: Option<u64>, max_total_bytes: Option<u64>) -> Self {
        Self { max_transfers, max_total_bytes, counts_all: true, ..Self::default() }
    }

    /// Returns the number of transfers created.
    #[must_use]
    pub const fn transfers_created(&self) -> u64 {
        self.transfers_created
    }

    /// Returns the bytes in use.
    #[must_use]
    pub const fn bytes_held(&self) -> u64 {
        self.bytes_held
    }

    /// Sets the use, for a repair. Transfers that are removed remain counted as created.
    pub(in crate::domain) fn set_use(&mut self, existing_transfers: u64, bytes: u64) {
        self.transfers_created = self.transfers_created.max(existing_transfers);
        self.bytes_held = bytes;
    }

    /// Returns whether the use includes all transfers, as it does in the current layout.
    #[must_use]
    pub const fn counts_all(&self) -> bool {
        self.counts_all
    }

    /// Adds what older layouts did not count: the existing transfers without a limit of their kind.
    pub(in crate::domain) fn count_all(&mut self, existing_transfers: u64, bytes: u64) {
        if self.max_transfers.is_none() {
            self.transfers_created = existing_transfers;
        }
        if self.max_total_bytes.is_none() {
            self.bytes_held = bytes;
        }
        self.counts_all = true;
    }

    /// Reserves one transfer of `bytes` encrypted bytes. Idempotent while the transfer's reservation has an entry.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`]; nothing is reserved then.
    pub fn reserve(&mut self, transfer_id: TransferId, bytes: u64, now: Timestamp) -> Result<ReservationMark, Error> {
        let matches =
            |entry: &&mut UnrecordedStep| entry.transfer_id == transfer_id && entry.step == QuotaStep::Reserved;
        if let Some(UnrecordedStep { at, mark: Some(mark), .. }) = self.unsettled.iter_mut().find(matches) {
            // A retry is about to create the transfer, so its entry must not count as abandoned.
            *at = now;
            return Ok(*mark);
        }
        let (transfers_created, bytes_held) = self.after_adding(bytes)?;
        (self.transfers_created, self.bytes_held) = (transfers_created, bytes_held);
        let mark = ReservationMark::random();
        self.unsettled.push(UnrecordedStep {
            transfer_id,
            step: QuotaStep::Reserved,
            bytes,
            at: now,
            mark: Some(mark),
        });
        Ok(mark)
    }

    /// Returns the transfers and bytes in use after adding a transfer of `bytes` encrypted bytes.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`] if either number is over its limit.
    pub fn after_adding(&self, bytes: u64) -> Result<(u64, u64), Error> {
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

    /// Releases a reservation whose transfer was not created.
    pub fn cancel(&mut self, transfer_id: TransferId, mark: ReservationMark) {
        if let Some(removed) = self.take(transfer_id, QuotaStep::Reserved, Some(mark)) {
            self.transfers_created = self.transfers_created.saturating_sub(1);
            self.bytes_held = self.bytes_held.saturating_sub(removed.bytes);
        }
    }

    /// Releases the bytes of a transfer whose payload is removed. Idempotent while the release has an entry.
    pub fn release(&mut self, transfer_id: TransferId, bytes: u64, now: Timestamp) {
        let is_release = |entry: &UnrecordedStep| entry.transfer_id == transfer_id && entry.step == QuotaStep::Released;
        if self.unsettled.iter().any(is_release) {
            return;
        }
        self.bytes_held = self.bytes_held.saturating_sub(bytes);
        self.unsettled.push(UnrecordedStep { transfer_id, step: QuotaStep::Released, bytes, at: now, mark: None });
    }

    /// Drops an entry whose step its transfer has recorded; returns whether the entry existed.
    pub fn drop_entry(&mut self, entry: QuotaEntry) -> bool {
        self.take(entry.transfer_id, entry.step, entry.mark).is_some()
    }

    /// Iterates over the entries possibly not yet recorded in their transfers, each with its bytes.
    pub fn pending_entries(&self) -> impl Iterator<Item = (QuotaEntry, u64)> {
        self.unsettled.iter().map(|entry| (entry.name(), entry.bytes))
    }

    /// Iterates over the same entries, each with the time of its step.
    pub fn entry_times(&self) -> impl Iterator<Item = (QuotaEntry, Timestamp)> {
        self.unsettled.iter().map(|entry| (entry.name(), entry.at))
    }

    /// Iterates over the entries at least an hour old by the clock, which may have jumped.
    pub fn abandoned(&self, now: Timestamp) -> impl Iterator<Item = QuotaEntry> {
        let old = move |entry: &&UnrecordedStep| entry.at.plus(ABANDONED_AFTER) <= now;
        self.unsettled.iter().filter(old).map(UnrecordedStep::name)
    }

    /// Drops or cancels abandoned entries according to `verdicts`; entries without a verdict stay.
    pub fn resolve_abandoned(&mut self, verdicts: &Verdicts, now: Timestamp) {
        let abandoned: Vec<_> = self.abandoned(now).collect();
        for entry in abandoned {
            match (verdicts.get(&entry), entry.mark) {
                (Some(EntryOutcome::Unused), Some(mark)) => self.cancel(entry.transfer_id, mark),
                (Some(_), _) => drop(self.drop_entry(entry)),
                (None, _) => {}
            }
        }
    }

    fn take(
        &mut self,
        transfer_id: TransferId,
        step: QuotaStep,
        mark: Option<ReservationMark>,
    ) -> Option<UnrecordedStep> {
        let matches =
            |entry: &UnrecordedStep| entry.transfer_id == transfer_id && entry.step == step && entry.mark == mark;
        let index = self.unsettled.iter().position(matches)?;
        Some(self.unsettled.remove(index))
    }
}

#[cfg(test)]
mod tests;
