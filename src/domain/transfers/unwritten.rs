//! Deletions that a full store could not record yet.
//!
//! A store without any space refuses the state `deleted`, but still removes the payload. Such a deletion is kept in
//! memory, so that this process serves the transfer as deleted, and written by the next sweep that finds space. A crash
//! or restart before then leaves a transfer without its payload, which can be deleted again.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::{Transfers, status_change};
use crate::domain::audit::{Record, with_transfer_keys};
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::notification::NotificationKind;
use crate::domain::store::{Commit, StorageKey, Swap, swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{DeletionCause, Transfer};

/// Maximum number of deletions in memory; further ones fail until the store has space.
const MAX_UNWRITTEN: usize = 10_000;

/// The deletions of this process that are not yet in the store.
#[derive(Default)]
pub(super) struct UnwrittenDeletions(Mutex<BTreeMap<TransferId, UnwrittenDeletion>>);

/// Deletion whose payload is removed, and whose state is not yet in the store.
#[derive(Clone)]
pub(super) struct UnwrittenDeletion {
    pub(super) at: Timestamp,
    pub(super) cause: DeletionCause,
    /// Event of the deletion. The audit log keeps the records of its request.
    pub(super) event: Record,
}

impl UnwrittenDeletions {
    fn of(&self, id: TransferId) -> Option<UnwrittenDeletion> {
        self.with(|all| all.get(&id).cloned())
    }

    fn ids(&self) -> Vec<TransferId> {
        self.with(|all| all.keys().copied().collect())
    }

    fn with<T>(&self, read: impl FnOnce(&mut BTreeMap<TransferId, UnwrittenDeletion>) -> T) -> T {
        read(&mut self.0.lock().expect("the lock is never poisoned"))
    }
}

impl Transfers {
    /// Keeps a deletion in memory; returns whether there was room for it.
    pub(super) fn keep_deletion(&self, id: TransferId, deletion: UnwrittenDeletion) -> bool {
        self.0.unwritten_deletions.with(|all| {
            let fits = all.len() < MAX_UNWRITTEN || all.contains_key(&id);
            if fits {
                all.insert(id, deletion);
            }
            fits
        })
    }

    /// Applies the deletion in memory, if there is one, to a transfer that was read from the store.
    pub(super) fn with_deletion(&self, mut transfer: Transfer) -> Transfer {
        if let Some(deletion) = self.0.unwritten_deletions.of(transfer.transfer_id) {
            transfer.delete(deletion.at, deletion.cause);
        }
        transfer
    }

    /// Writes the deletion in memory, if there is one, before another change of the transfer.
    ///
    /// # Errors
    /// [`Error::StorageFull`] while the store has no space: nothing else may change the transfer.
    pub(super) async fn write_deletion(&self, id: TransferId) -> Result<(), Error> {
        let Some(UnwrittenDeletion { at, cause, event }) = self.0.unwritten_deletions.of(id) else { return Ok(()) };
        let key = StorageKey::transfer(id);
        let written = swap(
            self.store(),
            &key,
            || Error::TransferNotFound,
            |mut transfer: Transfer| {
                let before = transfer.state.status();
                if !transfer.delete(at, cause) {
                    return Ok(Swap::Keep(()));
                }
                let mut with = Commit {
                    schedule: vec![StorageKey::schedule_entry(self.now(), id)],
                    records: with_transfer_keys(id, std::slice::from_ref(&event)),
                    counter_delta: Some(status_change(at, before, transfer.state.status())),
                    ..Commit::with_reserve()
                };
                transfer.notify(&mut with, &self.0.ids, at, &[NotificationKind::TransferDeleted]);
                Ok(Swap::write(transfer, with, ()))
            },
        );
        match written.await {
            Ok(()) | Err(Error::TransferNotFound) => {
                self.0.unwritten_deletions.with(|all| all.remove(&id));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the deletions in memory to the store, if it has space by now.
    pub async fn write_deletions(&self) {
        for id in self.0.unwritten_deletions.ids() {
            if let Err(error) = self.write_deletion(id).await {
                tracing::warn!(%id, error = %chain(&error), "cannot record a deletion, will retry");
                if matches!(error, Error::StorageFull) {
                    return;
                }
            }
        }
    }
}
