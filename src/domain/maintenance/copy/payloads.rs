//! Copies payloads as streams, reads each copy back and compares its SHA-256 with the source.

use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::time::Instant;

use super::{CopyError, Copying, add};
use crate::domain::crypto::digest::{Sha256, Sha256Builder};
use crate::domain::id::{PayloadId, TransferId};
use crate::domain::store::{PayloadWriter, StorageKey, Store, StoreError, read, transfer_of_payload};
use crate::domain::transfer::Transfer;

/// Time to wait for the write lease of a killed run to expire: leases in a bucket last 30 seconds.
const LEASE_TIMEOUT: Duration = Duration::from_secs(45);
/// Delay between attempts to open a payload under a write lease.
const LEASE_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Number of payloads per list request.
const PAGE_SIZE: usize = 500;

impl Copying<'_> {
    /// Copies the payload of a transfer, reads the copy back, and compares the two.
    ///
    /// If a resumed copy differs, its earlier part may be damaged: the payload is then copied again from byte 0.
    ///
    /// # Errors
    /// [`CopyError::NoPayload`], [`CopyError::Damaged`].
    pub(super) async fn copy_payload(&self, transfer: &Transfer) -> Result<(), CopyError> {
        let (id, size) = (transfer.payload_id(), transfer.size_bytes);
        if self.resumed && self.was_copied(transfer).await.map_err(CopyError::To)? {
            self.moved(size);
            return Ok(());
        }
        let received = self.received(transfer).await?;
        if self.copy_from(transfer, received).await? {
            return Ok(());
        }
        self.to.remove(id).await.map_err(CopyError::To)?;
        if received > 0 && self.copy_from(transfer, 0).await? {
            Ok(())
        } else {
            Err(CopyError::Damaged { id: transfer.transfer_id })
        }
    }

    /// Returns whether an earlier run has copied and verified a payload.
    ///
    /// A run writes the transfer's state only after verifying the payload.
    async fn was_copied(&self, transfer: &Transfer) -> Result<bool, StoreError> {
        let id = transfer.transfer_id;
        let copied = read::<Transfer>(self.to, &StorageKey::transfer(id)).await?;
        Ok(copied.is_some_and(|copied| copied.value.is_downloadable()) && is_complete(self.to, transfer).await?)
    }

    /// Returns the number of payload bytes copied by an earlier run; removes a copy longer than the source.
    async fn received(&self, transfer: &Transfer) -> Result<u64, CopyError> {
        let id = transfer.payload_id();
        let received = if self.resumed { self.to.received(id).await.map_err(CopyError::To)? } else { 0 };
        if received <= transfer.size_bytes {
            return Ok(received);
        }
        self.to.remove(id).await.map_err(CopyError::To)?;
        Ok(0)
    }

    /// Copies a payload from byte `offset` on. Returns `false` if the whole copy then differs from the source.
    async fn copy_from(&self, transfer: &Transfer, offset: u64) -> Result<bool, CopyError> {
        let (id, size) = (transfer.payload_id(), transfer.size_bytes);
        let original = self.write_from(transfer, offset).await?;
        if self.to.finish(id, size).await.map_err(CopyError::To)? != size {
            return Ok(false);
        }
        let copy = digest(self.to, id, size).await;
        Ok(copy.map_err(CopyError::To)? == Some(original))
    }

    /// Reads the whole payload from the source and writes its bytes from `offset` on. Returns the payload's SHA-256.
    async fn write_from(&self, transfer: &Transfer, offset: u64) -> Result<Sha256, CopyError> {
        let (id, size) = (transfer.payload_id(), transfer.size_bytes);
        let mut stream = self.from.read(id, 0..size).await.map_err(|error| read_error(error, transfer.transfer_id))?;
        let mut writer = if offset < size { Some(self.writer(id, offset).await?) } else { None };
        let (mut digesting, mut position) = (Sha256Builder::default(), 0);
        while let Some(chunk) = stream.try_next().await.map_err(|error| CopyError::From(error.into()))? {
            digesting.update(&chunk);
            let length = chunk.len() as u64;
            let skipped = offset.saturating_sub(position).min(length);
            position += length;
            self.moved(length);
            if let Some(writer) = writer.as_mut().filter(|_| skipped < length) {
                let skipped = usize::try_from(skipped).expect("an offset into a chunk in memory");
                writer.write(chunk.slice(skipped..)).await.map_err(CopyError::To)?;
                add(&self.counts.bytes_sent, length - skipped as u64);
            }
        }
        if let Some(writer) = writer {
            writer.close().await.map_err(CopyError::To)?;
        }
        if position == size { Ok(digesting.finish()) } else { Err(CopyError::NoPayload { id: transfer.transfer_id }) }
    }

    /// Opens the writer of a payload; waits for the write lease of a killed run to expire.
    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, CopyError> {
        let started = Instant::now();
        loop {
            match self.to.writer(id, offset).await {
                Err(StoreError::WriterBusy) if started.elapsed() < LEASE_TIMEOUT => {
                    tokio::time::sleep(LEASE_RETRY_DELAY).await;
                }
                writer => return writer.map_err(CopyError::To),
            }
        }
    }

    pub(super) fn moved(&self, bytes: u64) {
        self.watch.transferred(add(&self.counts.bytes_done, bytes));
    }

    /// Checks that both stores have the complete payload, by its size. The first pass has compared the bytes.
    pub(super) async fn compare_payload(&self, transfer: &Transfer) -> Result<(), CopyError> {
        let (id, size) = (transfer.payload_id(), transfer.size_bytes);
        if self.from.received(id).await.map_err(CopyError::From)? != size
            || !is_complete(self.to, transfer).await.map_err(CopyError::To)?
        {
            return Err(CopyError::Differs { key: StorageKey::payload(id) });
        }
        add(&self.counts.payloads, 1);
        add(&self.counts.bytes, size);
        Ok(())
    }

    /// Removes payloads from the destination whose transfer in the source no longer has a payload.
    pub(super) async fn remove_unowned(&self) -> Result<(), CopyError> {
        let mut after = None;
        loop {
            let page = self.to.list_stored(after, PAGE_SIZE).await.map_err(CopyError::To)?;
            for payload in &page {
                let owner = transfer_of_payload(self.from, payload.id).await.map_err(CopyError::From)?;
                let transfer = match owner {
                    Some(id) => self.read_transfer(id).await?,
                    None => None,
                };
                let is_of = |transfer: Transfer| transfer.payload_id() == payload.id && transfer.is_downloadable();
                if !transfer.is_some_and(is_of) {
                    self.to.remove(payload.id).await.map_err(CopyError::To)?;
                }
            }
            after = match page.last() {
                Some(last) => Some(last.id),
                None => return Ok(()),
            };
        }
    }
}

/// Returns whether the payload of a transfer is finished and has the declared size.
async fn is_complete(store: &dyn Store, transfer: &Transfer) -> Result<bool, StoreError> {
    let (id, size) = (transfer.payload_id(), transfer.size_bytes);
    if store.received(id).await? != size {
        return Ok(false);
    }
    match store.read(id, 0..size).await {
        Ok(_) => Ok(true),
        Err(StoreError::NoPayload) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Computes the SHA-256 of a finished payload of `size` bytes. Returns `None` if the payload is missing or incomplete.
async fn digest(store: &dyn Store, id: PayloadId, size: u64) -> Result<Option<Sha256>, StoreError> {
    let mut stream = match store.read(id, 0..size).await {
        Err(StoreError::NoPayload) => return Ok(None),
        stream => stream?,
    };
    let mut digesting = Sha256Builder::default();
    while let Some(chunk) = stream.try_next().await? {
        digesting.update(&chunk);
    }
    Ok(Some(digesting.finish()))
}

/// Converts an error of reading a payload from the source.
fn read_error(error: StoreError, id: TransferId) -> CopyError {
    match error {
        StoreError::NoPayload => CopyError::NoPayload { id },
        error => CopyError::From(error),
    }
}
