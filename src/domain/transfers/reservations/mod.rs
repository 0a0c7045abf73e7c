//! Reservations and releases in the quotas of sender tokens.

mod changes;
mod entries;

use std::collections::HashMap;

pub(super) use changes::QuotaChanges;
use changes::{QuotaChange, QuotaOutcome};
pub(super) use entries::{CompletedEntries, SeenEntries};

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::store::{StorageKey, from_json};
use crate::domain::token::{EntryOutcome, QuotaEntry, QuotaStep, ReservationMark, Token, Verdicts};
use crate::domain::transfer::Transfer;

impl Transfers {
    /// Returns the entries of a token's quota whose process has ended before it finished their steps.
    pub(super) fn abandoned_entries(&self, token: &Token) -> Vec<QuotaEntry> {
        self.0.seen_entries.abandoned(token, self.now(), self.0.clock.elapsed())
    }

    /// Reserves a transfer of `bytes` encrypted bytes in the quota of `token`.
    ///
    /// A token without limits counts them, too.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(super) async fn reserve_quota(
        &self,
        token: &Token,
        id: TransferId,
        bytes: u64,
    ) -> Result<ReservationMark, Error> {
        let now = self.now();
        let verdicts = self.verdicts_on_abandoned(token).await?;
        match self.change_quota(token.token_id, QuotaChange::Reserve { id, bytes, verdicts, now }).await? {
            QuotaOutcome::Reserved(mark) => Ok(mark),
            QuotaOutcome::Changed | QuotaOutcome::Unchanged => unreachable!("a reservation has a mark"),
        }
    }

    /// Releases a reservation in the quota of `token`, unless its transfer uses this very reservation.
    pub(super) async fn cancel_quota(
        &self,
        transfer: &Transfer,
        token: TokenId,
        mark: ReservationMark,
    ) -> Result<(), Error> {
        let id = transfer.transfer_id;
        if transfer.reservation_in(token) == Some(mark) {
            self.mark_entry_completed(token, QuotaEntry::reserved(id, mark));
            return Ok(());
        }
        self.change_quota(token, QuotaChange::Cancel { id, mark }).await.map(drop)
    }

    /// Releases the bytes of a transfer whose payload is removed. Returns `false` if they were released before.
    ///
    /// The caller then records the release in the transfer. A release by another process is always detected: the token
    /// has changed since it was read, or has an entry of the release, or the transfer, which is read after the token,
    /// has recorded the release.
    pub(super) async fn release_quota(&self, id: TransferId, token: TokenId) -> Result<bool, Error> {
        let released = self.change_quota(token, QuotaChange::Release { id, now: self.now() }).await?;
        Ok(released == QuotaOutcome::Changed)
    }

    /// Marks a quota entry whose step the transfer has recorded, so that the entry can be dropped.
    pub(super) fn mark_entry_completed(&self, token: TokenId, entry: QuotaEntry) {
        self.0.completed_entries.note(token, entry);
    }

    /// Drops the reservations' entries of a transfer about to be removed.
    ///
    /// After the removal, an entry would look like a reservation whose transfer was never created.
    pub(super) async fn forget_reservations(&self, transfer: &Transfer) -> Result<(), Error> {
        for token in transfer.charged_tokens() {
            let Some(mark) = transfer.reservation_in(token) else { continue };
            let entry = QuotaEntry::reserved(transfer.transfer_id, mark);
            self.change_quota(token, QuotaChange::Drop(entry)).await?;
        }
        Ok(())
    }

    /// Checks abandoned entries against their transfers. Abandoned entries are rare: only a killed process leaves entries,
    /// or a sweep that ended.
    async fn verdicts_on_abandoned(&self, token: &Token) -> Result<Verdicts, Error> {
        let abandoned = self.abandoned_entries(token);
        if abandoned.is_empty() {
            return Ok(Verdicts::new());
        }
        let keys: Vec<_> = abandoned.iter().map(|entry| StorageKey::transfer(entry.transfer_id)).collect();
        let stored: HashMap<_, _> = self.store().get_all(&keys).await?.into_iter().collect();
        let mut verdicts = Verdicts::new();
        for (entry, key) in abandoned.into_iter().zip(&keys) {
            let found = stored.get(key).map(|value| from_json::<Transfer>(key.as_str(), value)).transpose()?;
            let verdict = match (found, entry.step) {
                (Some(transfer), QuotaStep::Reserved) if transfer.reservation_in(token.token_id) == entry.mark => {
                    Some(EntryOutcome::Completed)
                }
                (_, QuotaStep::Reserved) => Some(EntryOutcome::Unused),
                // The transfer has not recorded the release yet; the sweeper will.
                (Some(transfer), QuotaStep::Released) if transfer.holds_quota => None,
                (_, QuotaStep::Released) => Some(EntryOutcome::Completed),
            };
            verdicts.extend(verdict.map(|verdict| (entry, verdict)));
        }
        Ok(verdicts)
    }
}
