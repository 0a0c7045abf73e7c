//! Large objects that are written once, from front to end.

use std::io;
use std::ops::Range;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use super::StoreError;
use crate::domain::id::TransferId;

/// Bytes as they are read from a store.
pub type PayloadStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What is there under the name of one payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose payload it is.
    pub id: TransferId,
    /// A payload that is whole.
    pub whole: bool,
    /// What has arrived of one, or the place for it, and belongs to no whole one.
    pub unfinished: bool,
}

/// The payloads of a store.
#[async_trait]
pub trait Payloads: Send + Sync {
    /// How many bytes of a payload are there, finished or not; 0 where there is none.
    async fn received(&self, id: TransferId) -> Result<u64, StoreError>;

    /// Opens a payload to go on writing at `offset`, which must be where it ends.
    ///
    /// # Errors
    /// [`StoreError::WriterBusy`] while another writer has it, in any process;
    /// [`StoreError::OffsetMismatch`] where `offset` is not the end, and for any offset of a finished payload.
    async fn writer(&self, id: TransferId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError>;

    /// Makes a payload final if exactly `size` bytes are there, and answers how many are. Final bytes survive power loss.
    ///
    /// Doing it again is harmless. A payload of another size stays as it is.
    ///
    /// # Errors
    /// [`StoreError::WriterBusy`] while a writer has it.
    async fn finish(&self, id: TransferId, size: u64) -> Result<u64, StoreError>;

    /// Reads a range of a finished payload. Where the payload is removed meanwhile, the stream breaks off after what was
    /// read ahead, with [`io::ErrorKind::NotFound`] where that can be told; a backend far away may deliver it to its end.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] where there is none, or it is not finished or shorter than the range.
    async fn read(&self, id: TransferId, range: Range<u64>) -> Result<PayloadStream, StoreError>;

    /// Removes whatever there is of a payload, and frees its room, whoever still reads or writes it.
    async fn remove(&self, id: TransferId) -> Result<(), StoreError>;

    /// Lists at most `limit` payloads of which anything is there, in the order of their ids, that come after `after`.
    async fn held(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<Held>, StoreError>;
}

/// The one writer of a payload, until it is dropped. A backend far away learns of that a moment later.
///
/// Dropping it without [`PayloadWriter::close`] keeps what was written: an upload can go on from there.
#[async_trait]
pub trait PayloadWriter: Send {
    /// Appends bytes. An error may be of an earlier write, and a payload whose writer failed ends anywhere before it.
    ///
    /// Once the payload was removed, this either fails with [`StoreError::NoPayload`] or leads nowhere.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Waits until what was written survives the end of this process, and answers the payload's length:
    /// 0 once it was removed.
    ///
    /// After an error that [`PayloadWriter::write`] has told of it answers how much is there to go on from.
    async fn close(self: Box<Self>) -> Result<u64, StoreError>;

    /// Takes back everything that this writer wrote, also after a write that failed. It never makes a payload longer.
    async fn discard(self: Box<Self>) -> Result<(), StoreError>;
}
