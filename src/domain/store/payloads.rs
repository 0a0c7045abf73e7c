//! Payload storage: large objects written once, sequentially.

use std::io;
use std::ops::Range;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use super::{StorageKey, Store, StoreError};
use crate::domain::id::{PayloadId, TransferId};

/// Stream of payload bytes from a store.
pub type PayloadStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Stored objects of one payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadObjects {
    /// Id of the payload.
    pub id: PayloadId,
    /// Whether a finished payload exists.
    pub finished: bool,
    /// Whether an incomplete upload exists, with or without bytes.
    pub unfinished: bool,
}

/// Payload storage of a backend.
#[async_trait]
pub trait Payloads: Send + Sync {
    /// Returns the number of stored bytes of a payload, finished or not; 0 if the payload does not exist.
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError>;

    /// Opens a payload for writing at `offset`, which must be the number of bytes stored so far.
    ///
    /// # Errors
    /// [`StoreError::WriterBusy`] while another writer, in any process, has the payload open;
    /// [`StoreError::OffsetMismatch`] for any other offset, and for any offset of a finished payload.
    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError>;

    /// Finishes a payload if exactly `size` bytes are stored; returns the number of stored bytes.
    ///
    /// A finished payload survives power loss. Idempotent; a payload of another size stays unchanged.
    ///
    /// # Errors
    /// [`StoreError::WriterBusy`] while a writer has the payload open.
    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError>;

    /// Reads a range of a finished payload.
    ///
    /// If the payload is removed meanwhile, the stream fails after the bytes already read ahead, with
    /// [`io::ErrorKind::NotFound`] if the backend can tell the cause. A remote backend may deliver the whole range.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] if the payload does not exist, is not finished, or is shorter than the range.
    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError>;

    /// Removes a payload, finished or not. Frees its space even while readers or writers have the payload open.
    async fn remove(&self, id: PayloadId) -> Result<(), StoreError>;

    /// Lists up to `limit` payloads with stored objects after the id `after`, in id order.
    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError>;
}

/// Exclusive writer of a payload. Dropping the writer ends its exclusive access, with a short delay in remote backends.
///
/// Dropping without [`PayloadWriter::close`] keeps the written bytes, so that an upload can resume.
#[async_trait]
pub trait PayloadWriter: Send {
    /// Appends bytes.
    ///
    /// After a removal of the payload, a write either has no effect or fails with [`StoreError::NoPayload`].
    ///
    /// # Errors
    /// An error may be due to an earlier write; the payload may then end at any byte before the failed write.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Waits until the written bytes survive the end of this process. Returns the payload's number of stored bytes.
    ///
    /// Returns 0 after a removal of the payload, and the offset to resume from after a failed [`PayloadWriter::write`].
    async fn close(self: Box<Self>) -> Result<u64, StoreError>;

    /// Discards all bytes written by this writer, even after a failed write. Never makes a payload longer.
    async fn discard(self: Box<Self>) -> Result<(), StoreError>;
}

/// Returns the transfer to which a payload belongs, by the index; `None` if the index names none.
///
/// The entry exists before the first byte of the payload, and until after its removal. The transfer may be missing.
///
/// # Errors
/// [`StoreError`] of the store.
pub async fn transfer_of_payload(store: &dyn Store, id: PayloadId) -> Result<Option<TransferId>, StoreError> {
    if let Some(transfer) = id.as_transfer() {
        return Ok(Some(transfer));
    }
    let keys = store.keys(&StorageKey::payload_owners(id), None, 1).await?;
    Ok(keys.first().and_then(StorageKey::as_payload_owner).map(|(_, transfer)| transfer))
}
