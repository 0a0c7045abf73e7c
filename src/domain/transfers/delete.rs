//! Deletion of a transfer, and removal of released payloads.

use super::unwritten::UnwrittenDeletion;
use super::{Transfers, status_change};
use crate::domain::audit::{ChangeResult, Event, EventKind, Record, RequestScope, with_transfer_keys};
use crate::domain::error::Error;
use crate::domain::id::{PayloadId, RecordId, TransferId};
use crate::domain::notification::NotificationKind;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, StorageKey, Swap, Version, Versioned, read};
use crate::domain::token::QuotaEntry;
use crate::domain::transfer::{DeletionCause, PayloadState, Transfer};

/// Transfer whose payload is removed.
pub(super) struct RemovedPayload {
    /// State after the removal.
    pub(super) transfer: Transfer,
    /// Whether the schedule entry of the sweep was replaced.
    pub(super) is_rescheduled: bool,
}

impl Transfers {
    /// Deletes a transfer in any state, and removes its payload before returning; idempotent.
    pub async fn delete(&self, scope: &RequestScope, id: TransferId) -> Result<Transfer, Error> {
        // Removing the payload, which may fail, decides the response.
        self.mark_deleted_and_remove(scope, id, DeletionCause::Requested, Some(ChangeResult::Undetermined)).await
    }

    /// Changes a transfer's state to `deleted`, then removes its payload.
    ///
    /// The order matters: a downloadable payload must never be partly removed. Only a store without any space loses the
    /// payload first, since its space may be what the change needs. With `result`, the commit includes the request's
    /// audit records; without `result`, the error response is recorded elsewhere.
    pub(super) async fn mark_deleted_and_remove(
        &self,
        scope: &RequestScope,
        id: TransferId,
        cause: DeletionCause,
        result: Option<ChangeResult>,
    ) -> Result<Transfer, Error> {
        let mut marked = self.mark_deleted(scope, id, cause, result).await;
        if let Err(Error::StorageFull) = marked {
            self.remove_stored(self.find(scope, id).await?.payload_id()).await?;
            marked = self.mark_deleted(scope, id, cause, result).await;
        }
        let transfer = match marked {
            Err(Error::StorageFull) => return self.delete_in_memory(scope, id, cause).await,
            marked => marked?,
        };
        if transfer.payload == PayloadState::Removed {
            return Ok(transfer);
        }
        match self.remove_payload(&transfer, None, Some(scope.request().request_id), None).await {
            // The payload is removed; the sweeper records it.
            Err(Error::StorageFull) => Ok(transfer),
            removed => removed.map(|removed| removed.transfer),
        }
    }

    /// Changes a transfer's state to `deleted`.
    async fn mark_deleted(
        &self,
        scope: &RequestScope,
        id: TransferId,
        cause: DeletionCause,
        result: Option<ChangeResult>,
    ) -> Result<Transfer, Error> {
        let now = self.now();
        self.change(id, |mut transfer| {
            let before = transfer.state.status();
            if !transfer.delete(now, cause) {
                return Ok(Swap::Keep(transfer));
            }
            let counter_delta = status_change(now, before, transfer.state.status());
            // If this process ends before the removal of the payload, the sweeper removes the payload.
            let schedule = vec![StorageKey::schedule_entry(now, id)];
            let mut with = Commit { schedule, counter_delta: Some(counter_delta), ..Commit::with_reserve() };
            transfer.notify(&mut with, &self.0.ids, now, &[NotificationKind::TransferDeleted]);
            let with = if let Some(result) = result {
                scope.transfer_commit(id, now, result, &[EventKind::TransferDeleted], with)
            } else {
                let event = scope.server_event_record(now, EventKind::TransferDeleted);
                with.records.extend(with_transfer_keys(id, &[event]));
                with.into()
            };
            Ok(Swap::write(transfer.clone(), with, transfer))
        })
        .await
    }

    /// Deletes a transfer whose payload is removed, in a store that cannot record it.
    async fn delete_in_memory(
        &self,
        scope: &RequestScope,
        id: TransferId,
        cause: DeletionCause,
    ) -> Result<Transfer, Error> {
        let mut transfer = self.find(scope, id).await?;
        let at = self.now();
        if transfer.delete(at, cause) {
            let event = scope.server_event_record(at, EventKind::TransferDeleted);
            if !self.keep_deletion(id, UnwrittenDeletion { at, cause, event }) {
                return Err(Error::StorageFull);
            }
            tracing::warn!(?id, "the storage is full: a deletion is recorded once it has space");
        }
        Ok(transfer)
    }

    /// Removes the stored bytes of a payload.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`], also from a store that needs space to remove something: callers take
    /// [`Error::StorageFull`] as a change that cannot be recorded.
    pub(super) async fn remove_stored(&self, id: PayloadId) -> Result<(), Error> {
        self.store().remove(id).await.map_err(Error::StorageUnavailable)
    }

    /// Removes a released payload, and records the removal as an event.
    ///
    /// The same commit replaces the schedule `entry` that a sweep processes, unless the transfer is due at once. `version`
    /// is that of `transfer`, if it was just written.
    pub(super) async fn remove_payload(
        &self,
        transfer: &Transfer,
        version: Option<Version>,
        request_id: Option<RecordId>,
        entry: Option<&StorageKey>,
    ) -> Result<RemovedPayload, Error> {
        let id = transfer.transfer_id;
        self.remove_stored(transfer.payload_id()).await?;
        let now = self.now();
        // The bytes count as used while an upload URL may write the payload again.
        let is_final = transfer.upload_urls_until.is_none_or(|until| until <= now);
        let known = version.map(|version| Versioned { value: transfer.clone(), version });
        self.change_after_removal(id, known, is_final, |mut transfer| {
            if transfer.payload != PayloadState::PendingRemoval {
                return Ok(Swap::Keep(RemovedPayload { transfer, is_rescheduled: false }));
            }
            transfer.record_removal(now);
            let next_entry = entry.and_then(|entry| self.next_entry(&transfer, entry, now));
            let is_rescheduled = next_entry.is_some();
            let event = Event::server(self.0.ids.next(now), request_id, now, EventKind::PayloadRemoved);
            let completed_bytes = transfer.state.completed_at().map_or(0, |_| transfer.size_bytes);
            let with = Commit {
                records: with_transfer_keys(id, &[Record::Event(event)]),
                counter_delta: Some(CounterDelta { bytes_removed: completed_bytes, ..CounterDelta::on(now.day()) }),
                ..next_entry.unwrap_or_else(Commit::with_reserve)
            };
            Ok(Swap::write(transfer.clone(), with, RemovedPayload { transfer, is_rescheduled }))
        })
        .await
    }

    /// Removes a payload again that an upload URL or a late upload request may have written anew.
    pub(super) async fn remove_late_payload(&self, transfer: &Transfer) -> Result<Transfer, Error> {
        let id = transfer.transfer_id;
        self.store().remove(transfer.payload_id()).await?;
        let now = self.now();
        let is_final = transfer.upload_urls_until.is_none_or(|until| until <= now);
        let removed = self.change_after_removal(id, None, is_final, |mut transfer| {
            let is_due = transfer.record_second_removal(now);
            let removed = RemovedPayload { transfer: transfer.clone(), is_rescheduled: false };
            Ok(if is_due { Swap::write(transfer, Commit::with_reserve(), removed) } else { Swap::Keep(removed) })
        });
        Ok(removed.await?.transfer)
    }

    /// Changes a transfer whose payload is removed. With `is_final`, first releases the transfer's bytes in the token's
    /// quota.
    async fn change_after_removal(
        &self,
        id: TransferId,
        known: Option<Versioned<Transfer>>,
        is_final: bool,
        decide: impl FnMut(Transfer) -> Result<Swap<'static, Transfer, RemovedPayload>, Error> + Send,
    ) -> Result<RemovedPayload, Error> {
        // Under this lock, no other task of this process releases the bytes; `release_quota` detects releases by other
        // processes.
        let _lock = self.0.transfer_locks.lock(id).await;
        let found = match known {
            Some(known) => known,
            None => read(self.store(), &StorageKey::transfer(id)).await?.ok_or(Error::TransferNotFound)?,
        };
        let mut released = Vec::new();
        if is_final && found.value.holds_quota {
            for token in found.value.charged_tokens() {
                if self.release_quota(id, token).await? {
                    released.push(token);
                }
            }
        }
        let (changed, _) = Box::pin(self.change_locked(id, Some(found), decide)).await?;
        if !changed.transfer.holds_quota {
            for token in released {
                self.mark_entry_completed(token, QuotaEntry::released(id));
            }
        }
        Ok(changed)
    }
}
