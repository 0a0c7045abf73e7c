//! Reservations and releases in the quotas of sender tokens.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::store::{Backoff, Change, Commit, Condition, StorageKey, StoreError, read, to_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{EntryOutcome, Quota, QuotaEntry, QuotaStep, ReservationMark, Token};
use crate::domain::transfer::Transfer;

/// Time for which this process must have seen an entry before the entry counts as abandoned.
///
/// A request takes less between its two writes. The age by the clock alone proves nothing, since the clock may jump, or
/// differ from that of the server that wrote the entry.
const SEEN_FOR: Duration = Duration::from_mins(5);

/// Quota entries already recorded in their transfers, as far as this process knows.
///
/// The next write of their token drops these entries.
#[derive(Debug, Default)]
pub(super) struct CompletedEntries(Mutex<HashMap<TokenId, HashSet<QuotaEntry>>>);

impl CompletedEntries {
    fn note(&self, token: TokenId, entry: QuotaEntry) {
        self.lock().entry(token).or_default().insert(entry);
    }

    fn of(&self, token: TokenId) -> HashSet<QuotaEntry> {
        self.lock().get(&token).cloned().unwrap_or_default()
    }

    fn forget(&self, token: TokenId, dropped: &HashSet<QuotaEntry>) {
        let mut completed_entries = self.lock();
        if let Some(entries) = completed_entries.get_mut(&token) {
            entries.retain(|entry| !dropped.contains(entry));
            if entries.is_empty() {
                completed_entries.remove(&token);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenId, HashSet<QuotaEntry>>> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

/// Quota entries that this process has seen, by their token.
#[derive(Debug, Default)]
pub(super) struct SeenEntries(Mutex<HashMap<TokenId, FirstSights>>);

/// Entries with the times of their steps, and the elapsed time of the first sight of each.
type FirstSights = HashMap<(QuotaEntry, Timestamp), Duration>;

impl SeenEntries {
    /// Returns the abandoned entries of a quota, and notes all its entries.
    fn abandoned(&self, token: &Token, now: Timestamp, elapsed: Duration) -> Vec<QuotaEntry> {
        let quota = &token.quota;
        let mut all = self.0.lock().expect("the lock is never poisoned");
        let before = all.remove(&token.token_id).unwrap_or_default();
        let first_seen = |entry: &(QuotaEntry, Timestamp)| before.get(entry).copied().unwrap_or(elapsed);
        let seen: FirstSights = quota.entry_times().map(|entry| (entry, first_seen(&entry))).collect();
        let long_seen = seen.iter().filter(|(_, first)| elapsed.saturating_sub(**first) >= SEEN_FOR);
        let long_seen: HashSet<_> = long_seen.map(|((entry, _), _)| *entry).collect();
        if !seen.is_empty() {
            all.insert(token.token_id, seen);
        }
        quota.abandoned(now).filter(|entry| long_seen.contains(entry)).collect()
    }
}

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
        let reserved = self.change_quota(token.token_id, None, Commit::default(), |quota, _| {
            quota.resolve_abandoned(&verdicts, now);
            quota.reserve(id, bytes, now).map(Some)
        });
        Ok(reserved.await?.expect("every reservation changes the quota"))
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
        let cancelled = self.change_quota(token, None, Commit::with_reserve(), |quota, _| {
            quota.cancel(id, mark);
            Ok(Some(()))
        });
        cancelled.await.map(drop)
    }

    /// Releases the bytes of a transfer whose payload is removed. Returns `false` if they were released before.
    ///
    /// The caller then records the release in the transfer. A release by another process is always detected: the token
    /// has changed since it was read, or has an entry of the release, or the transfer, which is read after the token,
    /// has recorded the release.
    pub(super) async fn release_quota(&self, id: TransferId, token: TokenId) -> Result<bool, Error> {
        let now = self.now();
        let released = self.change_quota(token, Some(id), Commit::with_reserve(), |quota, transfer| {
            let holder = transfer.filter(|transfer| transfer.holds_quota);
            Ok(holder.map(|transfer| quota.release(id, transfer.size_bytes, now)))
        });
        Ok(released.await?.is_some())
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
            let dropped = self.change_quota(token, None, Commit::with_reserve(), |quota, _| {
                Ok(quota.drop_entry(entry).then_some(()))
            });
            dropped.await?;
        }
        Ok(())
    }

    /// Changes a quota by compare-and-swap, and drops its completed entries.
    ///
    /// Returns `None` if `decide` changes nothing. Each try reads the transfer `about` after
    /// the token. The change is written with the other writes of `with`.
    async fn change_quota<A: Send>(
        &self,
        token: TokenId,
        about: Option<TransferId>,
        with: Commit,
        mut decide: impl FnMut(&mut Quota, Option<&Transfer>) -> Result<Option<A>, Error> + Send,
    ) -> Result<Option<A>, Error> {
        let _lock = self.0.token_locks.lock(token).await;
        let completed_entries = self.0.completed_entries.of(token);
        let key = StorageKey::token(token);
        let mut backoff = Backoff::of_changes();
        loop {
            let mut found = read::<Token>(self.store(), &key).await?.ok_or(Error::TokenNotFound)?;
            let transfer = match about {
                Some(id) => read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?,
                None => None,
            };
            let quota = &mut found.value.quota;
            let dropped = completed_entries.iter().filter(|entry| quota.drop_entry(**entry)).count();
            let result = decide(quota, transfer.as_ref().map(|found| &found.value))?;
            if result.is_none() && dropped == 0 {
                return Ok(None);
            }
            let change =
                Change { key: key.clone(), condition: Condition::Is(found.version), value: to_json(&found.value) };
            match self.store().commit(Commit { change: Some(change), ..with.clone() }).await {
                Ok(_) => {
                    self.0.completed_entries.forget(token, &completed_entries);
                    return Ok(result);
                }
                Err(StoreError::Conflict) if !backoff.is_over() => backoff.pause().await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Checks abandoned entries against their transfers. Abandoned entries are rare: only a killed process leaves entries.
    async fn verdicts_on_abandoned(&self, token: &Token) -> Result<HashMap<QuotaEntry, EntryOutcome>, Error> {
        let mut verdicts = HashMap::new();
        for entry in self.abandoned_entries(token) {
            let key = StorageKey::transfer(entry.transfer_id);
            let found = read::<Transfer>(self.store(), &key).await?.map(|found| found.value);
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
