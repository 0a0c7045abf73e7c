//! Changes of quotas: concurrent changes of the same quota share one write.
//!
//! Each creation and each removed payload changes the quota of its token. A token of a busy service would be the
//! bottleneck of its transfers if each of these changes were written alone: a write takes a disk sync, or a round trip.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::limits::keyed_mutex::KeyedMutex;
use crate::domain::store::{Backoff, Change, Commit, Condition, StorageKey, StoreError, from_json, read, to_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{Quota, QuotaEntry, ReservationMark, Token, Verdicts};
use crate::domain::transfer::Transfer;
use crate::domain::transfers::Transfers;

/// Change of a quota. Each is idempotent, so that it can be repeated after a write whose outcome is unknown.
#[derive(Debug)]
pub(super) enum QuotaChange {
    /// Reserves a transfer of `bytes`, after the abandoned entries with a verdict have been resolved.
    Reserve { id: TransferId, bytes: u64, verdicts: Verdicts, now: Timestamp },
    /// Releases a reservation whose transfer was not created.
    Cancel { id: TransferId, mark: ReservationMark },
    /// Releases the bytes of a transfer, unless the transfer has recorded their release.
    Release { id: TransferId, now: Timestamp },
    /// Drops an entry whose step its transfer has recorded.
    Drop(QuotaEntry),
}

/// Outcome of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuotaOutcome {
    /// Nothing: the quota was as the change leaves it.
    Unchanged,
    /// The quota has changed.
    Changed,
    /// The quota has changed; the mark of the reservation.
    Reserved(ReservationMark),
}

impl QuotaChange {
    /// Returns whether the change may use the store's reserve: all but reservations free something.
    const fn may_use_reserve(&self) -> bool {
        !matches!(self, Self::Reserve { .. })
    }

    /// Returns the transfer whose state decides what the change does. It is read after the token.
    const fn depends_on(&self) -> Option<TransferId> {
        match self {
            Self::Release { id, .. } => Some(*id),
            Self::Reserve { .. } | Self::Cancel { .. } | Self::Drop(_) => None,
        }
    }

    /// Applies the change to a quota. `transfers` has the stored transfers that changes depend on.
    fn apply(&self, quota: &mut Quota, transfers: &HashMap<StorageKey, Bytes>) -> Result<QuotaOutcome, Error> {
        match self {
            Self::Reserve { id, bytes, verdicts, now } => {
                quota.resolve_abandoned(verdicts, *now);
                quota.reserve(*id, *bytes, *now).map(QuotaOutcome::Reserved)
            }
            Self::Cancel { id, mark } => {
                quota.cancel(*id, *mark);
                Ok(QuotaOutcome::Changed)
            }
            Self::Release { id, now } => {
                let key = StorageKey::transfer(*id);
                let transfer =
                    transfers.get(&key).map(|value| from_json::<Transfer>(key.as_str(), value)).transpose()?;
                let Some(holder) = transfer.filter(|transfer| transfer.holds_quota) else {
                    return Ok(QuotaOutcome::Unchanged);
                };
                quota.release(*id, holder.size_bytes, *now);
                Ok(QuotaOutcome::Changed)
            }
            Self::Drop(entry) if quota.drop_entry(*entry) => Ok(QuotaOutcome::Changed),
            Self::Drop(_) => Ok(QuotaOutcome::Unchanged),
        }
    }
}

/// Changes that wait for the write of their token.
#[derive(Debug, Default)]
pub(in crate::domain::transfers) struct QuotaChanges {
    locks: KeyedMutex,
    waiting: Mutex<HashMap<TokenId, Vec<Arc<WaitingChange>>>>,
}

#[derive(Debug)]
struct WaitingChange {
    change: QuotaChange,
    /// Result, once a write has included the change.
    result: Mutex<Option<Result<QuotaOutcome, Error>>>,
}

impl WaitingChange {
    fn result(&self) -> MutexGuard<'_, Option<Result<QuotaOutcome, Error>>> {
        self.result.lock().expect("the lock is never poisoned")
    }
}

/// Place of a change among those that wait; given up when dropped.
struct Place<'a> {
    changes: &'a QuotaChanges,
    token: TokenId,
    change: Arc<WaitingChange>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.changes.waiting();
        if let Some(changes) = waiting.get_mut(&self.token) {
            changes.retain(|change| !Arc::ptr_eq(change, &self.change));
            if changes.is_empty() {
                waiting.remove(&self.token);
            }
        }
    }
}

impl QuotaChanges {
    fn enqueue(&self, token: TokenId, change: QuotaChange) -> Place<'_> {
        let change = Arc::new(WaitingChange { change, result: Mutex::default() });
        self.waiting().entry(token).or_default().push(Arc::clone(&change));
        Place { changes: self, token, change }
    }

    /// Returns the changes that can share a write with `first`, in the order of their arrival.
    fn batch(&self, token: TokenId, first: &WaitingChange) -> Vec<Arc<WaitingChange>> {
        let shares_write = |waiting: &&Arc<WaitingChange>| {
            waiting.change.may_use_reserve() == first.change.may_use_reserve() && waiting.result().is_none()
        };
        self.waiting().get(&token).into_iter().flatten().filter(shares_write).cloned().collect()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<TokenId, Vec<Arc<WaitingChange>>>> {
        self.waiting.lock().expect("the lock is never poisoned")
    }
}

impl Transfers {
    /// Changes a quota, and drops its completed entries.
    ///
    /// The first of several concurrent changes writes all of them. If its write fails or is cancelled, the next one
    /// writes the others.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`] by a reservation; [`Error::TokenNotFound`]; errors of the store.
    pub(super) async fn change_quota(&self, token: TokenId, change: QuotaChange) -> Result<QuotaOutcome, Error> {
        let place = self.0.quota_changes.enqueue(token, change);
        let lock = self.0.quota_changes.locks.lock(token).await;
        // Both are dropped in this order, so that no later write includes the change again.
        let turn = (place, lock);
        let change = &turn.0.change;
        if let Some(result) = change.result().take() {
            return result;
        }
        let batch = self.0.quota_changes.batch(token, change);
        let results = self.write_quota(token, &batch).await?;
        for (written, result) in batch.iter().zip(results) {
            *written.result() = Some(result);
        }
        change.result().take().expect("a batch includes the change that writes it")
    }

    /// Writes a batch of changes by compare-and-swap. Returns the result of each.
    async fn write_quota(
        &self,
        token: TokenId,
        batch: &[Arc<WaitingChange>],
    ) -> Result<Vec<Result<QuotaOutcome, Error>>, Error> {
        let completed_entries = self.0.completed_entries.of(token);
        let key = StorageKey::token(token);
        let transfer_keys: Vec<_> =
            batch.iter().filter_map(|waiting| waiting.change.depends_on()).map(StorageKey::transfer).collect();
        let may_use_reserve = batch.iter().all(|waiting| waiting.change.may_use_reserve());
        let mut backoff = Backoff::of_changes();
        loop {
            let mut found = read::<Token>(self.store(), &key).await?.ok_or(Error::TokenNotFound)?;
            let transfers = match transfer_keys.as_slice() {
                [] => HashMap::new(),
                keys => self.store().get_all(keys).await?.into_iter().collect(),
            };
            let quota = &mut found.value.quota;
            let dropped = completed_entries.iter().filter(|entry| quota.drop_entry(**entry)).count();
            let results: Vec<_> = batch.iter().map(|waiting| waiting.change.apply(quota, &transfers)).collect();
            let is_changed = |result: &Result<QuotaOutcome, Error>| {
                matches!(result, Ok(QuotaOutcome::Changed | QuotaOutcome::Reserved(_)))
            };
            if dropped == 0 && !results.iter().any(is_changed) {
                return Ok(results);
            }
            let change =
                Change { key: key.clone(), condition: Condition::Is(found.version), value: to_json(&found.value) };
            match self.store().commit(Commit { may_use_reserve, ..Commit::of(change) }).await {
                Ok(_) => {
                    self.0.completed_entries.forget(token, &completed_entries);
                    return Ok(results);
                }
                Err(StoreError::Conflict) if !backoff.is_over() => backoff.pause().await,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
