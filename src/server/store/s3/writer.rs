//! Writing a payload through the service: parts of a multipart upload, and a tail too short for one.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::S3Store;
use super::manifest::{Arriving, Holder, Poured, PouredPart, Tail};
use crate::domain::crypto::random;
use crate::domain::error::chain;
use crate::domain::id::TransferId;
use crate::domain::store::{Condition, PayloadWriter, StorageKey, StoreError, Version};

/// Bytes in each of the first parts: what two of them take in memory is what an upload costs.
const PART: usize = 8 << 20;
/// Bytes in later parts: with them 10 000 parts hold the largest payload that can be allowed.
const LATER_PART: usize = 72 << 20;
/// How many parts are of the smaller kind.
const FIRST_PARTS: usize = 500;
/// How often a slow upload says that it is still there.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// The writer, until it is closed or dropped.
pub(super) struct S3Writer(Option<Work>);

/// What a writer holds: the place in the bucket that nobody else writes to.
struct Work {
    store: S3Store,
    id: TransferId,
    /// What it was when the writer came: where discarding goes back to.
    before: Poured,
    arriving: Arriving,
    version: Version,
    written_at: Instant,
    /// Bytes after the last part that was begun.
    gathered: BytesMut,
    sending: Option<Sending>,
    /// A part did not arrive: what came after it leads nowhere.
    broken: bool,
    _place: OwnedSemaphorePermit,
}

/// A part on its way.
struct Sending {
    number: u32,
    size: u64,
    answer: JoinHandle<Result<String, StoreError>>,
}

impl S3Writer {
    /// Goes on writing at `offset`.
    pub(super) async fn open(store: &S3Store, id: TransferId, offset: u64) -> Result<Self, StoreError> {
        let place = store.writer_place().await?;
        let (mut arriving, condition) = if let Some(found) = store.arriving(id).await? {
            (found.value, Condition::Is(found.version))
        } else {
            // Nothing, or all of it.
            if let Some(length) = store.bucket().length(&StorageKey::payload(id)).await? {
                return Err(StoreError::OffsetMismatch { received_bytes: length });
            }
            (Arriving::default(), Condition::Absent)
        };
        if let Some(length) = arriving.whole {
            return Err(StoreError::OffsetMismatch { received_bytes: length });
        }
        if arriving.is_held() {
            return Err(StoreError::WriterBusy);
        }
        let mut poured = arriving.poured.take().unwrap_or_default();
        if poured.length() != offset {
            return Err(StoreError::OffsetMismatch { received_bytes: poured.length() });
        }
        // A writer that fell silent may still be sending one.
        poured.next = poured.next.max(1) + u32::from(arriving.holder.is_some());
        let before = poured.clone();
        arriving.poured = Some(poured);
        arriving.holder = Some(Holder::new(false));
        let version = match store.set_arriving(id, condition, &arriving).await {
            Err(StoreError::Conflict) => return Err(StoreError::WriterBusy),
            set => set?,
        };
        let (store, written_at) = (store.clone(), Instant::now());
        let mut work = Work {
            store,
            id,
            before,
            arriving,
            version,
            written_at,
            gathered: BytesMut::new(),
            sending: None,
            broken: false,
            _place: place,
        };
        match work.read_tail().await {
            Ok(tail) => work.gathered = tail,
            Err(error) => {
                work.broken = true;
                let _ = work.let_go().await;
                return Err(error);
            }
        }
        Ok(Self(Some(work)))
    }

    fn work(&mut self) -> &mut Work {
        self.0.as_mut().expect("only closing and dropping end the work")
    }
}

#[async_trait]
impl PayloadWriter for S3Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.work().write(bytes).await
    }

    async fn close(mut self: Box<Self>) -> Result<u64, StoreError> {
        self.0.take().expect("a writer is closed once").close().await
    }

    async fn discard(mut self: Box<Self>) -> Result<(), StoreError> {
        self.0.take().expect("a writer is closed once").discard().await
    }
}

impl Drop for S3Writer {
    fn drop(&mut self) {
        let Some(work) = self.0.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = work.close().await {
                tracing::debug!(error = %chain(&error), "the end of an upload that broke off could not be kept");
            }
        });
    }
}

impl Work {
    fn poured(&mut self) -> &mut Poured {
        self.arriving.poured.get_or_insert_default()
    }

    async fn read_tail(&mut self) -> Result<BytesMut, StoreError> {
        let id = self.id;
        let Some(tail) = &self.poured().tail else { return Ok(BytesMut::new()) };
        let key = StorageKey::payload_piece(id, &tail.name);
        let read = self.store.bucket().read(&key).await?.ok_or(StoreError::NoPayload)?;
        Ok(BytesMut::from(read.body))
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::unavailable("an earlier part of this payload did not arrive"));
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let before = self.poured().parts.len() + usize::from(self.sending.is_some());
            let room = part_size(before) - self.gathered.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.gathered.extend_from_slice(now);
            rest = later;
            if now.len() == room {
                self.begin_part().await?;
            }
        }
        if self.written_at.elapsed() >= RENEW_EVERY {
            self.keep().await?;
        }
        Ok(())
    }

    /// Sends what is gathered as a part, once the one before it is kept.
    async fn begin_part(&mut self) -> Result<(), StoreError> {
        self.end_part().await?;
        let key = StorageKey::payload(self.id);
        if self.poured().upload.is_none() {
            self.poured().upload = Some(self.store.bucket().begin_parts(&key).await?);
            self.keep().await?;
        }
        let upload = self.poured().upload.clone().expect("it has just begun");
        let (number, body) = (self.poured().next, std::mem::take(&mut self.gathered).freeze());
        let (size, bucket) = (body.len() as u64, self.store.bucket().clone());
        let answer = tokio::spawn(async move { bucket.put_part(&key, &upload, number, body).await });
        self.sending = Some(Sending { number, size, answer });
        Ok(())
    }

    /// Waits for the part on its way, and keeps it.
    async fn end_part(&mut self) -> Result<(), StoreError> {
        let Some(sending) = self.sending.take() else { return Ok(()) };
        let arrived = sending.answer.await.map_err(StoreError::unavailable).flatten();
        let etag = match arrived {
            Ok(etag) => etag,
            Err(error) => {
                self.broken = true;
                // It may still arrive: its number is not used again.
                self.poured().next = sending.number + 1;
                return Err(error);
            }
        };
        let part = PouredPart { number: sending.number, etag, size: sending.size };
        let poured = self.poured();
        poured.next = part.number + 1;
        poured.parts.push(part);
        // Its bytes are the first ones of the first part. The object stays: discarding goes back to it.
        poured.tail = None;
        self.keep().await
    }

    /// Writes down what there is. Whoever was faster has taken this writer's place, or removed the payload.
    async fn keep(&mut self) -> Result<(), StoreError> {
        if self.arriving.holder.is_some() {
            self.arriving.holder = Some(Holder::new(false));
        }
        let condition = Condition::Is(self.version.clone());
        self.version = match self.store.set_arriving(self.id, condition, &self.arriving).await {
            Err(StoreError::Conflict) => return Err(StoreError::NoPayload),
            set => set?,
        };
        self.written_at = Instant::now();
        Ok(())
    }

    /// Removes a tail that is of no use any more; whoever finishes or removes the payload removes what is left here.
    async fn drop_tail(&self, tail: Option<&Tail>) {
        if let Some(tail) = tail
            && let Err(error) = self.store.bucket().remove(&[StorageKey::payload_piece(self.id, &tail.name)]).await
        {
            tracing::debug!(error = %chain(&error), "a piece of an upload stays until its end");
        }
    }

    async fn close(mut self) -> Result<u64, StoreError> {
        match self.let_go().await {
            Err(StoreError::NoPayload) => match self.store.arriving(self.id).await? {
                None => Ok(0),
                Some(_) => Err(StoreError::NoPayload),
            },
            kept => kept,
        }
    }

    /// Keeps what is left over, and leaves the place to others.
    async fn let_go(&mut self) -> Result<u64, StoreError> {
        let sent = self.end_part().await;
        let mut added = None;
        let known = self.poured().tail.as_ref().map_or(0, |tail| tail.size);
        if !self.broken && self.gathered.len() as u64 != known {
            let tail = Tail { name: random::name(), size: self.gathered.len() as u64 };
            let key = StorageKey::payload_piece(self.id, &tail.name);
            self.store.put_once(&key, std::mem::take(&mut self.gathered).freeze()).await?;
            added = Some(tail.clone());
            self.poured().tail = Some(tail);
        }
        self.arriving.holder = None;
        if let Err(error) = self.keep().await {
            self.drop_tail(added.as_ref()).await;
            return Err(error);
        }
        let kept = self.poured().tail.clone();
        if self.before.tail != kept {
            self.drop_tail(self.before.tail.as_ref()).await;
        }
        sent.map(|()| self.poured().length())
    }

    async fn discard(mut self) -> Result<(), StoreError> {
        // A part on its way is waited for: what has arrived can be taken back, and no quota counts what is left.
        let ended = match self.sending.take() {
            Some(sending) => matches!(sending.answer.await, Ok(Ok(_))),
            None => !self.broken,
        };
        let (begun, before, reached) = (self.poured().upload.clone(), self.before.clone(), self.poured().next);
        let (poured, vain) = if before.parts.is_empty() {
            (Poured { upload: None, next: 1, ..before }, begun)
        } else {
            // Parts of the same numbers take the place of these; the number of one that may still arrive is not used again.
            let next = if ended { before.next } else { reached + 1 };
            (Poured { upload: begun, next, ..before }, None)
        };
        *self.poured() = poured;
        self.arriving.holder = None;
        match self.keep().await {
            // It was removed, and this with it.
            Err(StoreError::NoPayload) => return Ok(()),
            kept => kept?,
        }
        if let Some(upload) = vain
            && let Err(error) = self.store.bucket().abort_parts(&StorageKey::payload(self.id), &upload).await
        {
            tracing::debug!(error = %chain(&error), "what was discarded of an upload stays until its end");
        }
        Ok(())
    }
}

/// Bytes in a part that has so many before it.
fn part_size(before: usize) -> usize {
    if before < FIRST_PARTS { PART } else { LATER_PART }
}
