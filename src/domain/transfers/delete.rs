//! Deletion of a transfer, and removal of released payloads.

use super::{Transfers, status_change};
use crate::domain::audit::{ChangeResult, Event, EventKind, Record, RequestScope, with_transfer_keys};
use crate::domain::error::Error;
use crate::domain::id::{RecordId, TransferId};
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, StorageKey, Swap, read};
use crate::domain::token::QuotaEntry;
use crate::domain::transfer::{DeletionCause, PayloadState, Transfer};

impl Transfers {
    /// Deletes a transfer in any state, and removes its payload before returning; idempotent.
    pub async fn delete(&self, scope: &RequestScope, id: TransferId) -> Result<Transfer, Error> {
        // Removing the payload, which may fail, decides the response.
        self.mark_deleted_and_remove(scope, id, DeletionCause::Requested, Some(ChangeResult::Undetermined)).await
    }

    /// Changes a transfer's state to `deleted`, then removes its payload.
    ///
    /// The order matters: a downloadable payload must never be partly removed. With `result`, the commit includes the
    /// request's audit records; without `result`, the error response is recorded elsewhere.
    pub(super) async fn mark_deleted_and_remove(
        &self,
        scope: &RequestScope,
        id: TransferId,
        cause: DeletionCause,
        result: Option<ChangeResult>,
    ) -> Result<Transfer, Error> {
        let now = self.now();
        let transfer = self
            .change(id, |mut transfer| {
                let before = transfer.state.status();
                if !transfer.delete(now, cause) {
                    return Ok(Swap::Keep(transfer));
                }
                let counter_delta = status_change(now, before, transfer.state.status());
                // If this process ends before the removal of the payload, the sweeper removes the payload.
                let schedule = vec![StorageKey::schedule_entry(now, id)];
                let with = Commit { schedule, counter_delta: Some(counter_delta), ..Commit::with_reserve() };
                let with = if let Some(result) = result {
                    scope.transfer_commit(id, now, result, &[EventKind::TransferDeleted], with)
                } else {
                    let event = scope.server_event_record(now, EventKind::TransferDeleted);
                    Commit { records: with_transfer_keys(id, &[event]), ..with }.into()
                };
                Ok(Swap::write(transfer.clone(), with, transfer))
            })
            .await?;
        if transfer.payload == PayloadState::Removed {
            return Ok(transfer);
        }
        self.remove_payload(&transfer, Some(scope.request().request_id)).await
    }

    /// Removes a released payload, and records the removal as an event.
    pub(super) async fn remove_payload(
        &self,
        transfer: &Transfer,
        request_id: Option<RecordId>,
    ) -> Result<Transfer, Error> {
        let id = transfer.transfer_id;
        self.store().remove(id).await?;
        let now = self.now();
        // The bytes count as used while an upload URL may write the payload again.
        let is_final = transfer.upload_urls_until.is_none_or(|until| until <= now);
        self.change_after_removal(id, is_final, |mut transfer| {
            if transfer.payload != PayloadState::PendingRemoval {
                return Ok(Swap::Keep(transfer));
            }
            transfer.payload = PayloadState::Removed;
            if is_final {
                transfer.clear_upload_urls();
            }
            let event = Event::server(self.0.ids.next(now), request_id, now, EventKind::PayloadRemoved);
            let completed_bytes = transfer.state.completed_at().map_or(0, |_| transfer.size_bytes);
            let with = Commit {
                records: with_transfer_keys(id, &[Record::Event(event)]),
                counter_delta: Some(CounterDelta { bytes_removed: completed_bytes, ..CounterDelta::on(now.day()) }),
                ..Commit::with_reserve()
            };
            Ok(Swap::write(transfer.clone(), with, transfer))
        })
        .await
    }

    /// Removes a payload again, after the last upload URL that may have rewritten the payload has expired.
    pub(super) async fn remove_late_payload(&self, transfer: &Transfer) -> Result<Transfer, Error> {
        let id = transfer.transfer_id;
        self.store().remove(id).await?;
        let now = self.now();
        self.change_after_removal(id, true, |mut transfer| {
            if transfer.upload_urls_until.is_none_or(|until| until > now) {
                return Ok(Swap::Keep(transfer));
            }
            transfer.clear_upload_urls();
            Ok(Swap::write(transfer.clone(), Commit::with_reserve(), transfer))
        })
        .await
    }

    /// Changes a transfer whose payload is removed. With `is_final`, first releases the transfer's bytes in the token's
    /// quota.
    async fn change_after_removal(
        &self,
        id: TransferId,
        is_final: bool,
        decide: impl FnMut(Transfer) -> Result<Swap<'static, Transfer, Transfer>, Error> + Send,
    ) -> Result<Transfer, Error> {
        // Under this lock, no other task of this process releases the bytes; `release_quota` detects releases by other
        // processes.
        let _lock = self.0.transfer_locks.lock(id).await;
        let found = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?.ok_or(Error::TransferNotFound)?;
        let releases = is_final && found.value.holds_quota && self.release_quota(id, found.value.token_id).await?;
        let transfer = self.change_locked(id, decide).await?;
        if releases && !transfer.holds_quota {
            self.mark_entry_completed(transfer.token_id, QuotaEntry::released(id));
        }
        Ok(transfer)
    }
}
