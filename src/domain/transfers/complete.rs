//! Completion of an upload.

use super::{Transfers, status_change};
use crate::domain::audit::{ChangeResult, EventKind, RequestScope};
use crate::domain::error::Error;
use crate::domain::notification::NotificationKind;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, StorageKey, Swap};
use crate::domain::transfer::{DeletionCause, Status, Transfer};
use crate::domain::wire::CompleteUpload;

impl Transfers {
    /// Completes a transfer if the stored payload has exactly the declared size; idempotent.
    ///
    /// # Errors
    /// [`Error::NoLink`] without a link that recipients could use, and [`Error::UploadIncomplete`], which change nothing;
    /// [`Error::InfoMismatch`]; [`Error::SizeMismatch`] if the stored payload is larger than declared, which also deletes
    /// the transfer; errors of [`Transfer::check_pending`] if the transfer has ended.
    pub async fn complete(
        &self,
        scope: &RequestScope,
        transfer: Transfer,
        with: &CompleteUpload,
    ) -> Result<Transfer, Error> {
        let id = transfer.transfer_id;
        match transfer.check_pending(self.now()) {
            Ok(()) if !self.has_usable_link(&transfer).await? => return Err(Error::NoLink),
            Ok(()) => self.finish_payload(scope, &transfer).await?,
            // The response of an earlier request.
            Err(Error::TransferNotPending) => {}
            // Also if an upload has prolonged the transfer meanwhile: its payload is not finished.
            Err(ended) => return Err(ended),
        }
        let now = self.now();
        self.change(id, |mut transfer| {
            if !transfer.complete(now, with)? {
                return Ok(Swap::Keep(transfer));
            }
            let counter_delta = CounterDelta {
                completed: 1,
                bytes: transfer.size_bytes,
                ..status_change(now, Status::Pending, Status::Completed)
            };
            let is_open = transfer.own_link_at(now).state().is_open();
            let reminder = transfer.reminder_before(transfer.own_link.expires_at).filter(|_| is_open);
            let schedule = reminder.map(|at| StorageKey::schedule_entry(at, id)).into_iter().collect();
            let mut commit = Commit { schedule, counter_delta: Some(counter_delta), ..Commit::default() };
            let kind = match transfer.guest {
                Some(_) => NotificationKind::RequestReceived,
                None => NotificationKind::TransferCompleted,
            };
            transfer.notify(&mut commit, &self.0.ids, now, &[kind]);
            let events = [EventKind::TransferCompleted];
            let commit = scope.transfer_commit(id, now, ChangeResult::Done, &events, commit);
            Ok(Swap::write(transfer.clone(), commit, transfer))
        })
        .await
    }

    /// Finishes the stored payload if it has exactly the declared size.
    async fn finish_payload(&self, scope: &RequestScope, transfer: &Transfer) -> Result<(), Error> {
        let (id, size_bytes) = (transfer.transfer_id, transfer.size_bytes);
        let received_bytes = self.store().finish(transfer.payload_id(), size_bytes).await?;
        if received_bytes < size_bytes {
            // If the transfer has ended and lost its payload meanwhile, report the end as the cause.
            self.find(scope, id).await?.check_pending(self.now())?;
            return Err(Error::UploadIncomplete { received_bytes, size_bytes });
        }
        if received_bytes > size_bytes {
            self.mark_deleted_and_remove(scope, id, DeletionCause::SizeMismatch, None).await?;
            return Err(Error::SizeMismatch);
        }
        Ok(())
    }
}
