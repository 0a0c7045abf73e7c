//! Uploads through this service.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::Transfers;
use super::open_uploads::OpenUpload;
use crate::domain::audit::{ChangeResult, RecordedCommit, RequestScope};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::store::{Commit, PayloadWriter, StoreError, Swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{PartPlan, PayloadState, State, Transfer, UploadKind};
use crate::domain::wire::{Received, UploadStatus};

/// Interval between records of a long upload's activity, so that its transfer does not expire as idle.
const ACTIVITY_INTERVAL: Duration = Duration::from_hours(1);

/// Minimum interval between activity records of an upload in pieces. A transfer may expire as idle earlier by up to
/// this interval.
const PIECE_RECORD_INTERVAL: Duration = Duration::from_mins(1);

/// Number of received bytes between checks of the free space. Other programs use the disk too.
const SPACE_CHECK_BYTES: u64 = 64 << 20;

/// Reason for the early end of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body arrived too slowly, or stopped.
    #[error("the body arrived too slowly")]
    TooSlow,
    /// The connection broke, or the framing of the body is invalid.
    #[error("the body ended early")]
    ConnectionLost,
}

/// Upload request with payload bytes.
pub struct PayloadChunk<B> {
    /// Offset of the first byte in the payload.
    pub offset: u64,
    /// Number of bytes; `None` without a `Content-Length`.
    pub length: Option<u64>,
    /// Stream of the bytes.
    pub body: B,
}

impl Transfers {
    /// Streams the bytes of an upload request to the store.
    ///
    /// # Errors
    /// [`Error::OffsetMismatch`], [`Error::UploadInProgress`], [`Error::RateLimited`]; [`Error::PayloadTooLarge`] or
    /// [`Error::StorageFull`], after which all bytes of this request are discarded; [`Error::RequestTimeout`] or
    /// [`Error::InvalidRequest`] if the body ends early, after which the received bytes are kept and the upload can
    /// resume; errors of [`Transfer::check_pending`].
    pub async fn upload<B>(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        upload: PayloadChunk<B>,
    ) -> Result<Received, Error>
    where
        B: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    {
        let result = self.store_bytes(scope, transfer, upload).await;
        match result {
            // If the transfer has ended during the request and lost its payload, report the end as the cause.
            Err(error @ (Error::StorageUnavailable(StoreError::NoPayload) | Error::OffsetMismatch { .. })) => {
                let transfer = self.find(scope, transfer.transfer_id).await?;
                transfer.check_pending(self.now())?;
                Err(error)
            }
            other => other,
        }
    }

    async fn store_bytes<B>(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        upload: PayloadChunk<B>,
    ) -> Result<Received, Error>
    where
        B: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    {
        let id = transfer.transfer_id;
        transfer.check_pending(self.now())?;
        self.switch_to_bytes(transfer).await?;
        // Before opening the writer: a sender over its limit must not take a slot from other senders.
        let mut open = self.begin_upload(transfer)?;
        let mut writer = self.store().writer(transfer.payload_id(), upload.offset).await?;
        let remaining = transfer.size_bytes.saturating_sub(upload.offset);
        self.expect_more_bytes(&mut open, remaining).await?;
        let too_large = Error::PayloadTooLarge { limit_bytes: transfer.size_bytes };
        if upload.length.is_some_and(|length| length > remaining) {
            return Err(too_large);
        }
        let outcome = self.write_body(scope, id, remaining, upload.body, &mut *writer, &mut open).await;
        if let Err(Error::StorageFull) = outcome {
            // A partial upload must not keep the store full for other senders.
            writer.discard().await?;
            return Err(Error::StorageFull);
        }
        let result = match outcome? {
            BodyOutcome::TooLong => {
                writer.discard().await?;
                return Err(too_large);
            }
            BodyOutcome::Complete => Ok(()),
            BodyOutcome::Partial(BodyError::TooSlow) => Err(Error::RequestTimeout),
            BodyOutcome::Partial(BodyError::ConnectionLost) => {
                Err(Error::InvalidRequest("the body ended early; the received bytes are kept".to_owned()))
            }
        };
        let received_bytes = writer.close().await?;
        // A request without bytes changes nothing; it is audited under the rate limit for reads.
        if open.has_received_any() {
            let is_piece = result.is_ok() && received_bytes < transfer.size_bytes;
            if is_piece && self.0.audit.shares_records_of_pieces() {
                self.record_piece(scope, id).await?;
            } else {
                self.record_request(scope, id, result.is_ok()).await?;
            }
        }
        result.map(|()| Received { transfer_id: id, received_bytes })
    }

    /// Writes a request body to the payload, up to `remaining` bytes.
    async fn write_body<B>(
        &self,
        scope: &RequestScope,
        id: TransferId,
        mut remaining: u64,
        mut body: B,
        writer: &mut dyn PayloadWriter,
        open: &mut OpenUpload,
    ) -> Result<BodyOutcome, Error>
    where
        B: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    {
        let (mut recorded_at, mut unchecked_bytes) = (self.now(), 0);
        while let Some(chunk) = body.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return Ok(BodyOutcome::Partial(error)),
            };
            let length = chunk.len() as u64;
            scope.add_bytes_in(length);
            let Some(rest) = remaining.checked_sub(length) else { return Ok(BodyOutcome::TooLong) };
            remaining = rest;
            writer.write(chunk).await?;
            open.add_received(length);
            unchecked_bytes += length;
            if unchecked_bytes >= SPACE_CHECK_BYTES {
                self.check_free_space(0).await?;
                unchecked_bytes = 0;
            }
            let now = self.now();
            if now.since(recorded_at) >= ACTIVITY_INTERVAL {
                let commit = || Commit::default().into();
                self.change_after_bytes(id, |transfer| with_recorded_bytes(transfer, now, commit())).await?;
                recorded_at = now;
            }
        }
        Ok(BodyOutcome::Complete)
    }

    /// Records a piece other than the last; the transfer itself is written at most once a minute.
    async fn record_piece(&self, scope: &RequestScope, id: TransferId) -> Result<(), Error> {
        let (now, transfer) = (self.now(), self.find(scope, id).await?);
        let is_recorded = transfer.upload == Some(UploadKind::Bytes)
            && transfer.last_byte_at.is_some_and(|at| now.since(at) < PIECE_RECORD_INTERVAL);
        // Also if the transfer has ended: `change_after_bytes` then removes the written bytes.
        if !is_recorded || transfer.check_pending(now).is_err() {
            self.change_after_bytes(id, |transfer| with_recorded_bytes(transfer, now, Commit::default().into()))
                .await?;
        }
        self.0.audit.add_piece(scope, id);
        Ok(())
    }

    /// Records an upload request. With a complete body, also writes its audit records and those of earlier pieces.
    async fn record_request(&self, scope: &RequestScope, id: TransferId, is_body_complete: bool) -> Result<(), Error> {
        let now = self.now();
        if !is_body_complete {
            let commit = || Commit::default().into();
            return self.change_after_bytes(id, |transfer| with_recorded_bytes(transfer, now, commit())).await;
        }
        self.0.audit.attach_pieces(scope, id);
        let commit = || scope.transfer_commit(id, now, ChangeResult::Done, &[], Commit::default());
        let result = self.change_after_bytes(id, |transfer| with_recorded_bytes(transfer, now, commit())).await;
        if result.is_err() {
            self.0.audit.detach_pieces(scope, id);
        }
        result
    }

    /// Changes a transfer after bytes were written; removes the bytes if the transfer has ended.
    ///
    /// If that fails, or this process crashes before, the sweeper removes them: [`Transfer::second_removal_at`].
    async fn change_after_bytes<'scope>(
        &self,
        id: TransferId,
        change: impl FnMut(Transfer) -> Result<Swap<'scope, Transfer, ()>, Error> + Send,
    ) -> Result<(), Error> {
        let result = self.change(id, change).await;
        if let Err(Error::TransferDeleted | Error::TransferExpired) = &result {
            // Removes the payload only after its release is persisted, not on the local clock alone.
            let (transfer, _) = self.apply_expiry(id).await?;
            if transfer.payload != PayloadState::Stored {
                self.store().remove(transfer.payload_id()).await?;
            }
        }
        result
    }

    /// Returns the progress of an upload.
    pub async fn upload_status(&self, transfer: &Transfer) -> Result<UploadStatus, Error> {
        let state = transfer.state_at(self.now());
        let received_bytes = match state {
            State::Pending => self.store().received(transfer.payload_id()).await?,
            _ if state.completed_at().is_some() => transfer.size_bytes,
            _ => 0,
        };
        let parts = self.parts_received(transfer, state).await?;
        Ok(UploadStatus {
            transfer_id: transfer.transfer_id,
            status: state.status(),
            kind: transfer.upload,
            size_bytes: transfer.size_bytes,
            received_bytes,
            part_size_bytes: parts.as_ref().and(PartPlan::of(transfer.size_bytes)).map(|plan| plan.part_size()),
            parts_received: parts,
        })
    }

    /// Returns the ranges of uploaded parts; `None` if the payload is not uploaded in parts.
    async fn parts_received(&self, transfer: &Transfer, state: State) -> Result<Option<Vec<[u32; 2]>>, Error> {
        let (Some(UploadKind::Multipart), Some(presigner)) = (transfer.upload, self.store().presigner()) else {
            return Ok(None);
        };
        let plan = PartPlan::of(transfer.size_bytes);
        Ok(Some(match state {
            State::Pending => ranges(&presigner.received_parts(transfer.payload_id()).await?),
            _ if state.completed_at().is_some() => plan.map(|plan| [1, plan.count()]).into_iter().collect(),
            _ => Vec::new(),
        }))
    }
}

/// Outcome of writing a request body to a payload.
enum BodyOutcome {
    /// The whole body is written.
    Complete,
    /// The body ended early.
    Partial(BodyError),
    /// The body exceeds the declared size of the payload.
    TooLong,
}

/// Records upload activity at `now` in a transfer.
fn with_recorded_bytes(
    mut transfer: Transfer,
    now: Timestamp,
    commit: RecordedCommit<'_>,
) -> Result<Swap<'_, Transfer, ()>, Error> {
    transfer.record_bytes(now)?;
    Ok(Swap::write(transfer, commit, ()))
}

/// Groups ascending numbers into inclusive ranges.
fn ranges(numbers: &[u32]) -> Vec<[u32; 2]> {
    let mut ranges: Vec<[u32; 2]> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 == *number => *last = *number,
            _ => ranges.push([*number, *number]),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_numbers_form_a_range() {
        assert_eq!(ranges(&[]), [] as [[u32; 2]; 0]);
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), [[1, 3], [7, 7], [9, 10]]);
    }
}
