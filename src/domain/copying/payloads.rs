//! The payloads of a store: copied as a stream, read back, and compared by their SHA-256.

use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::time::Instant;

use super::{CopyError, Copying, add};
use crate::domain::digest::{Digesting, Sha256};
use crate::domain::id::TransferId;
use crate::domain::store::{PayloadWriter, StorageKey, Store, StoreError, read};
use crate::domain::transfer::Transfer;

/// How long a run that was killed may still seem to be writing: a bucket learns of it after 30 seconds.
const LINGERING: Duration = Duration::from_secs(45);
/// How often to look whether that is over.
const LINGERING_DELAY: Duration = Duration::from_secs(1);
/// Payloads listed at once.
const PAGE: usize = 500;

impl Copying<'_> {
    /// Copies the payload of a transfer, and reads it back.
    pub(super) async fn copy_payload(&self, transfer: &Transfer) -> Result<(), CopyError> {
        let (id, size) = (transfer.transfer_id, transfer.size_bytes);
        if self.resumed && self.was_copied(transfer).await.map_err(CopyError::To)? {
            self.moved(size);
            return Ok(());
        }
        let there = self.received(transfer).await?;
        if self.copy_behind(transfer, there).await? {
            return Ok(());
        }
        // What was there of it may have been damaged: once more, from the beginning.
        self.to.remove(id).await.map_err(CopyError::To)?;
        if there > 0 && self.copy_behind(transfer, 0).await? { Ok(()) } else { Err(CopyError::Damaged { id }) }
    }

    /// Whether an earlier run has copied a payload, and found it to be right: it then wrote the state of the transfer.
    async fn was_copied(&self, transfer: &Transfer) -> Result<bool, StoreError> {
        let id = transfer.transfer_id;
        let copied = read::<Transfer>(self.to, &StorageKey::transfer(id)).await?;
        Ok(copied.is_some_and(|copied| copied.value.keeps_payload()) && is_whole(self.to, transfer).await?)
    }

    /// How much of a payload an earlier run has copied.
    async fn received(&self, transfer: &Transfer) -> Result<u64, CopyError> {
        let id = transfer.transfer_id;
        let there = if self.resumed { self.to.received(id).await.map_err(CopyError::To)? } else { 0 };
        if there <= transfer.size_bytes {
            return Ok(there);
        }
        self.to.remove(id).await.map_err(CopyError::To)?;
        Ok(0)
    }

    /// Copies what comes behind the first `there` bytes of a payload; `false` where the copy reads as something else.
    async fn copy_behind(&self, transfer: &Transfer, there: u64) -> Result<bool, CopyError> {
        let (id, size) = (transfer.transfer_id, transfer.size_bytes);
        let original = self.pour(transfer, there).await?;
        if self.to.finish(id, size).await.map_err(CopyError::To)? != size {
            return Ok(false);
        }
        let copy = digest(self.to, id, size).await;
        Ok(copy.map_err(CopyError::To)? == Some(original))
    }

    /// Reads a payload from its first byte on, and writes it from the first byte that is not there.
    async fn pour(&self, transfer: &Transfer, there: u64) -> Result<Sha256, CopyError> {
        let (id, size) = (transfer.transfer_id, transfer.size_bytes);
        let mut stream = self.from.read(id, 0..size).await.map_err(|error| unread(error, id))?;
        let mut writer = if there < size { Some(self.writer(id, there).await?) } else { None };
        let (mut digesting, mut position) = (Digesting::default(), 0);
        while let Some(piece) = stream.try_next().await.map_err(|error| CopyError::From(error.into()))? {
            digesting.update(&piece);
            let length = piece.len() as u64;
            let known = there.saturating_sub(position).min(length);
            position += length;
            self.moved(length);
            if let Some(writer) = writer.as_mut().filter(|_| known < length) {
                let known = usize::try_from(known).expect("it is within a piece in memory");
                writer.write(piece.slice(known..)).await.map_err(CopyError::To)?;
                add(&self.counts.bytes_sent, length - known as u64);
            }
        }
        if let Some(writer) = writer {
            writer.close().await.map_err(CopyError::To)?;
        }
        if position == size { Ok(digesting.finish()) } else { Err(CopyError::NoPayload { id }) }
    }

    /// The writer of a payload, once a run that was killed does not seem to be writing any more.
    async fn writer(&self, id: TransferId, offset: u64) -> Result<Box<dyn PayloadWriter>, CopyError> {
        let since = Instant::now();
        loop {
            match self.to.writer(id, offset).await {
                Err(StoreError::WriterBusy) if since.elapsed() < LINGERING => {
                    tokio::time::sleep(LINGERING_DELAY).await;
                }
                writer => return writer.map_err(CopyError::To),
            }
        }
    }

    fn moved(&self, bytes: u64) {
        self.watch.moved_to(add(&self.counts.bytes_there, bytes));
    }

    /// Makes sure that a payload is there on both sides. Its bytes were compared when it was copied.
    pub(super) async fn compare_payload(&self, transfer: &Transfer) -> Result<(), CopyError> {
        let (id, size) = (transfer.transfer_id, transfer.size_bytes);
        if self.from.received(id).await.map_err(CopyError::From)? != size
            || !is_whole(self.to, transfer).await.map_err(CopyError::To)?
        {
            return Err(CopyError::Differs { key: StorageKey::payload(id) });
        }
        add(&self.counts.payloads, 1);
        add(&self.counts.bytes, size);
        Ok(())
    }

    /// Removes payloads from the copy that the original does not have any more.
    pub(super) async fn remove_strangers(&self) -> Result<(), CopyError> {
        let mut after = None;
        loop {
            let page = self.to.held(after, PAGE).await.map_err(CopyError::To)?;
            for held in &page {
                if !self.read_transfer(held.id).await?.is_some_and(|transfer| transfer.keeps_payload()) {
                    self.to.remove(held.id).await.map_err(CopyError::To)?;
                }
            }
            after = match page.last() {
                Some(last) => Some(last.id),
                None => return Ok(()),
            };
        }
    }
}

/// Whether the payload of a transfer is finished and of its size.
async fn is_whole(store: &dyn Store, transfer: &Transfer) -> Result<bool, StoreError> {
    let (id, size) = (transfer.transfer_id, transfer.size_bytes);
    if store.received(id).await? != size {
        return Ok(false);
    }
    match store.read(id, 0..size).await {
        Ok(_) => Ok(true),
        Err(StoreError::NoPayload) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The digest of a whole payload; `None` where it is not there whole.
async fn digest(store: &dyn Store, id: TransferId, size: u64) -> Result<Option<Sha256>, StoreError> {
    let mut stream = match store.read(id, 0..size).await {
        Err(StoreError::NoPayload) => return Ok(None),
        stream => stream?,
    };
    let mut digesting = Digesting::default();
    while let Some(piece) = stream.try_next().await? {
        digesting.update(&piece);
    }
    Ok(Some(digesting.finish()))
}

/// Why a payload cannot be read.
fn unread(error: StoreError, id: TransferId) -> CopyError {
    match error {
        StoreError::NoPayload => CopyError::NoPayload { id },
        error => CopyError::From(error),
    }
}
