//! Taking in a payload.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::Transfers;
use super::open_uploads::OpenUpload;
use crate::domain::audit::{Answer, RequestScope, keyed};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::store::{Commit, PayloadWriter, StoreError, Swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{PartPlan, PayloadFate, State, Transfer, UploadKind};
use crate::domain::wire::{Received, UploadStatus};

/// How often a long upload notes that bytes still arrive, so that its transfer does not expire under it.
const NOTE_EVERY: Duration = Duration::from_hours(1);

/// After so many bytes of an upload it is looked again whether there is still room: others write to the disk too.
const LOOK_EVERY: u64 = 64 << 20;

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It came too slowly, or not at all for a while.
    #[error("the body came too slowly")]
    TooSlow,
    /// The connection broke, or the body's framing did.
    #[error("the body ended early")]
    Broken,
}

/// One request that sends payload bytes.
pub struct Upload<B> {
    /// Where in the payload they begin.
    pub offset: u64,
    /// How many there are, where the request says so.
    pub length: Option<u64>,
    /// The bytes.
    pub body: B,
}

impl Transfers {
    /// Stores the bytes of one request, straight from the connection.
    ///
    /// # Errors
    /// [`Error::OffsetMismatch`], [`Error::UploadInProgress`]; [`Error::PayloadTooLarge`], after which nothing of this
    /// request is kept; [`Error::RequestTimeout`] or [`Error::InvalidRequest`] for a body that ended early, after which
    /// what arrived is kept and the upload can go on.
    pub async fn upload<B>(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        upload: Upload<B>,
    ) -> Result<Received, Error>
    where
        B: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    {
        match self.store_bytes(scope, transfer, upload).await {
            // It may have ended under this request, and lost its payload: then that is why.
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
        upload: Upload<B>,
    ) -> Result<Received, Error>
    where
        B: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    {
        let id = transfer.transfer_id;
        transfer.check_pending(self.now())?;
        self.fix_bytes(transfer).await?;
        // First: who sends too much at once waits for no place that others could use.
        let mut open = self.begin_upload(transfer)?;
        let mut writer = self.store().writer(id, upload.offset).await?;
        let room = transfer.size_bytes.saturating_sub(upload.offset);
        self.expect_bytes(&mut open, room).await?;
        let too_large = Error::PayloadTooLarge { limit_bytes: transfer.size_bytes };
        if upload.length.is_some_and(|length| length > room) {
            return Err(too_large);
        }
        let poured = self.pour(scope, id, room, upload.body, &mut *writer, &mut open).await;
        if let Err(Error::StorageFull) = poured {
            // Half an upload must not keep the store full for everyone else.
            writer.discard().await?;
            return Err(Error::StorageFull);
        }
        let ended = match poured? {
            Poured::Over => {
                writer.discard().await?;
                return Err(too_large);
            }
            Poured::All => Ok(()),
            Poured::Part(BodyError::TooSlow) => Err(Error::RequestTimeout),
            Poured::Part(BodyError::Broken) => {
                Err(Error::InvalidRequest("the body ended early; what arrived is kept".to_owned()))
            }
        };
        let received_bytes = writer.close().await?;
        // A request that brings nothing changes nothing: it leaves records as a read does, within a budget.
        if open.has_brought_any() {
            self.note_arrival(scope, id, ended.is_ok()).await?;
        }
        ended.map(|()| Received { transfer_id: id, received_bytes })
    }

    async fn pour<B>(
        &self,
        scope: &RequestScope,
        id: TransferId,
        room: u64,
        mut body: B,
        writer: &mut dyn PayloadWriter,
        open: &mut OpenUpload,
    ) -> Result<Poured, Error>
    where
        B: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    {
        let mut room = room;
        let (mut noted_at, mut unlooked) = (self.now(), 0);
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Poured::Part(error)),
            };
            let length = piece.len() as u64;
            scope.note_bytes_in(length);
            let Some(left) = room.checked_sub(length) else { return Ok(Poured::Over) };
            room = left;
            writer.write(piece).await?;
            open.arrived(length);
            unlooked += length;
            if unlooked >= LOOK_EVERY {
                self.check_room(0).await?;
                unlooked = 0;
            }
            let now = self.now();
            if now.since(noted_at) >= NOTE_EVERY {
                self.change(id, |transfer| noted(transfer, now, Commit::default())).await?;
                noted_at = now;
            }
        }
        Ok(Poured::All)
    }

    /// Notes when the last byte came; where the transfer has ended meanwhile, what was written goes.
    async fn note_arrival(&self, scope: &RequestScope, id: TransferId, whole: bool) -> Result<(), Error> {
        const ANSWER: Answer = Answer::Whole { status: 200 };
        let now = self.now();
        let commit = || {
            let records = if whole { scope.records_of_change(now, ANSWER, &[]) } else { Vec::new() };
            Commit { records: keyed(id, &records), ..Commit::default() }
        };
        let result = self.change(id, |transfer| noted(transfer, now, commit())).await;
        match &result {
            Ok(()) if whole => scope.note_committed(ANSWER),
            // Not by this clock alone: once it stands in the store that nobody is served.
            Err(Error::TransferDeleted | Error::TransferExpired)
                if self.settle(id).await?.payload != PayloadFate::Kept =>
            {
                self.store().remove(id).await?;
            }
            _ => {}
        }
        result
    }

    /// What of a payload has arrived.
    pub async fn upload_status(&self, transfer: &Transfer) -> Result<UploadStatus, Error> {
        let state = transfer.state_at(self.now());
        let received_bytes = match state {
            State::Pending => self.store().received(transfer.transfer_id).await?,
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

    /// Which parts of a payload have arrived, where it comes in parts.
    async fn parts_received(&self, transfer: &Transfer, state: State) -> Result<Option<Vec<[u32; 2]>>, Error> {
        let (Some(UploadKind::Multipart), Some(presigner)) = (transfer.upload, self.store().presigner()) else {
            return Ok(None);
        };
        let plan = PartPlan::of(transfer.size_bytes);
        Ok(Some(match state {
            State::Pending => ranges(&presigner.arrived(transfer.transfer_id).await?),
            _ if state.completed_at().is_some() => plan.map(|plan| [1, plan.count()]).into_iter().collect(),
            _ => Vec::new(),
        }))
    }
}

/// How the pouring of a body into a payload ended.
enum Poured {
    /// With the body.
    All,
    /// Before the body's end.
    Part(BodyError),
    /// With more bytes than declared.
    Over,
}

fn noted(mut transfer: Transfer, now: Timestamp, with: Commit) -> Result<Swap<Transfer, ()>, Error> {
    transfer.note_bytes(now)?;
    Ok(Swap::write(transfer, with, ()))
}

/// Numbers that ascend, as ranges with both ends.
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
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(ranges(&[]), [] as [[u32; 2]; 0]);
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), [[1, 3], [7, 7], [9, 10]]);
    }
}
