//! Payloads: one object each once they are whole.

use std::io;
use std::ops::Range;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::S3Store;
use super::manifest::{Arriving, Holder, Poured};
use super::writer::S3Writer;
use crate::domain::error::chain;
use crate::domain::id::TransferId;
use crate::domain::store::{
    Condition, Held, PayloadStream, PayloadWriter, Payloads, Records, StorageKey, StoreError, Versioned,
};

/// Pieces of unfinished payloads listed at once; there is one, or two where a server was killed.
const PIECES: usize = 1_000;
/// How often finishing begins anew because something changed meanwhile.
const TRIES: u32 = 5;

#[async_trait]
impl Payloads for S3Store {
    async fn received(&self, id: TransferId) -> Result<u64, StoreError> {
        match self.arriving(id).await? {
            Some(found) => self.arrived_length(id, &found.value).await,
            None => self.whole_length(id).await,
        }
    }

    async fn writer(&self, id: TransferId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        Ok(Box::new(S3Writer::open(self, id, offset).await?))
    }

    async fn finish(&self, id: TransferId, size: u64) -> Result<u64, StoreError> {
        for _ in 0..TRIES {
            let Some(found) = self.arriving(id).await? else { return self.whole_length(id).await };
            if found.value.is_written() {
                return Err(StoreError::WriterBusy);
            }
            let length = self.arrived_length(id, &found.value).await?;
            if length != size || found.value.whole.is_some() {
                return Ok(length);
            }
            match self.put_together(id, found).await {
                Err(StoreError::Conflict) => {}
                finished => return finished,
            }
        }
        Err(StoreError::WriterBusy)
    }

    async fn read(&self, id: TransferId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        let key = StorageKey::payload(id);
        if range.is_empty() {
            let there = self.bucket().length(&key).await?;
            let covers = range.start == range.end && there.is_some_and(|length| range.end <= length);
            return if covers { Ok(stream::empty().boxed()) } else { Err(StoreError::NoPayload) };
        }
        let opened = self.bucket().open(&key, range).await?.ok_or(StoreError::NoPayload)?;
        let pieces = stream::try_unfold(opened.body, async |mut body| {
            let piece = body.try_next().await.map_err(io::Error::other)?;
            Ok(piece.map(|piece| (piece, body)))
        });
        Ok(pieces.boxed())
    }

    async fn remove(&self, id: TransferId) -> Result<(), StoreError> {
        let (whole, arriving) = (StorageKey::payload(id), StorageKey::payload_arriving(id));
        // First: whoever puts the payload together looks for it at the end.
        self.bucket().remove(&[arriving]).await?;
        self.bucket().remove(std::slice::from_ref(&whole)).await?;
        if self.abort_uploads(id).await? {
            // One of them may have been put together meanwhile.
            self.bucket().remove(&[whole]).await?;
        }
        self.remove_pieces(id).await
    }

    async fn held(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<Held>, StoreError> {
        self.list_held(after, limit).await
    }
}

impl S3Store {
    /// The length of a payload that is whole; 0 where there is none.
    async fn whole_length(&self, id: TransferId) -> Result<u64, StoreError> {
        Ok(self.bucket().length(&StorageKey::payload(id)).await?.unwrap_or(0))
    }

    /// How many bytes have arrived of a payload that is not known to be whole.
    async fn arrived_length(&self, id: TransferId, arriving: &Arriving) -> Result<u64, StoreError> {
        let parts = match arriving {
            Arriving { whole: Some(length), .. } => return Ok(*length),
            Arriving { poured: Some(poured), .. } => return Ok(poured.length()),
            Arriving { presigned: Some(upload), .. } => self.presigned_parts(id, upload).await?,
            _ => Vec::new(),
        };
        match parts.iter().map(|part| part.size).sum() {
            // They were put together before, by someone who did not live to say so; or none has come.
            0 => self.whole_length(id).await,
            length => Ok(length),
        }
    }

    /// Makes one object of what has arrived, and answers how long it is: 0 if it was removed meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where someone else was at work meanwhile.
    async fn put_together(&self, id: TransferId, found: Versioned<Arriving>) -> Result<u64, StoreError> {
        let (mut arriving, key) = (found.value, StorageKey::payload(id));
        arriving.holder = Some(Holder::new(true));
        let version = self.set_arriving(id, Condition::Is(found.version), &arriving).await?;
        // It is there where someone did this before, and did not live to say so.
        let mut length = self.whole_length(id).await?;
        if length == 0 {
            let joined = match (&arriving.poured, &arriving.presigned) {
                (Some(poured), _) => self.join_poured(id, poured).await,
                (None, Some(upload)) => self.join_presigned(id, upload).await,
                (None, None) => Ok(()),
            };
            length = self.whole_length(id).await?;
            match joined {
                Ok(()) | Err(StoreError::NoPayload) => {}
                // Whoever does the same at the same time may have been faster.
                Err(error) if length == 0 => return Err(error),
                Err(_) => {}
            }
        }
        // The parts are gone, by a rule of the bucket or by its owner: it begins anew.
        let outcome = if length == 0 { Arriving::default() } else { Arriving::whole(length) };
        match self.set_arriving(id, Condition::Is(version), &outcome).await {
            Ok(_) => {}
            Err(StoreError::Conflict) if self.arriving(id).await?.is_none() => {
                // It was removed, perhaps before it was put together.
                self.bucket().remove(&[key]).await?;
                return Ok(0);
            }
            Err(error) => return Err(error),
        }
        // What was sent besides, such as to the bucket before the other way was chosen. It goes with the payload at last.
        let tidied = async {
            self.abort_uploads(id).await?;
            self.remove_pieces(id).await
        };
        if let Err(error) = tidied.await {
            tracing::warn!(error = %chain(&error), "what an upload left stays until its payload goes");
        }
        Ok(length)
    }

    /// Takes back every upload of a payload that was begun and not ended; tells whether there was one.
    async fn abort_uploads(&self, id: TransferId) -> Result<bool, StoreError> {
        let key = StorageKey::payload(id);
        // A page at a time.
        for round in 0..TRIES {
            let uploads = self.bucket().open_uploads(&key).await?;
            if uploads.is_empty() {
                return Ok(round > 0);
            }
            for upload in uploads {
                self.bucket().abort_parts(&key, &upload).await?;
            }
        }
        Ok(true)
    }

    /// Makes one object of what clients have sent to the bucket.
    async fn join_presigned(&self, id: TransferId, upload: &str) -> Result<(), StoreError> {
        let parts = self.presigned_parts(id, upload).await?;
        if parts.is_empty() {
            return Ok(());
        }
        let parts = parts.into_iter().map(|part| (part.number, part.etag));
        self.bucket().join_parts(&StorageKey::payload(id), upload, parts).await
    }

    /// Makes one object of what has come through the service.
    async fn join_poured(&self, id: TransferId, poured: &Poured) -> Result<(), StoreError> {
        let key = StorageKey::payload(id);
        let tail = match &poured.tail {
            Some(tail) => self.bucket().read(&StorageKey::payload_piece(id, &tail.name)).await?.map(|read| read.body),
            None => None,
        };
        let Some(upload) = &poured.upload else {
            return self.put_once(&key, tail.unwrap_or_default()).await;
        };
        let mut parts: Vec<_> = poured.parts.iter().map(|part| (part.number, part.etag.clone())).collect();
        if let Some(tail) = tail {
            parts.push((poured.next, self.bucket().put_part(&key, upload, poured.next, tail).await?));
        }
        self.bucket().join_parts(&key, upload, parts.into_iter()).await
    }

    async fn remove_pieces(&self, id: TransferId) -> Result<(), StoreError> {
        let pieces = self.keys(&StorageKey::payload_pieces(id), None, PIECES).await?;
        self.bucket().remove(&pieces).await
    }
}
