//! Upload through the service. Writes parts of a multipart upload, and a tail object for the bytes after the last part.

use bytes::{Bytes, BytesMut};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::S3Store;
use super::lease::{Lease, RENEW_INTERVAL};
use super::manifest::{ServicePart, ServiceUpload, Tail, UploadManifest};
use super::multipart::part_size;
use crate::domain::crypto::random;
use crate::domain::error::chain;
use crate::domain::id::PayloadId;
use crate::domain::store::{Condition, StorageKey, StoreError, Version};

/// Upload through the service by the writer that has the payload's lease.
pub(super) struct LeasedUpload {
    store: S3Store,
    id: PayloadId,
    /// State before this writer, restored by `discard`.
    before: ServiceUpload,
    manifest: UploadManifest,
    version: Version,
    written_at: Instant,
    /// Buffered bytes after the last started part.
    buffered: BytesMut,
    uploading: Option<PartUpload>,
    /// Error of a failed part, which every further write returns. Bytes after the failed part cannot be stored.
    failure: Option<StoreError>,
    _permit: OwnedSemaphorePermit,
}

/// Part upload in progress.
struct PartUpload {
    number: u32,
    size: u64,
    task: JoinHandle<Result<String, StoreError>>,
}

impl LeasedUpload {
    /// Takes the payload's lease for writing at `offset`.
    ///
    /// # Errors
    /// [`StoreError::OffsetMismatch`] if the number of received bytes differs from `offset`, [`StoreError::WriterBusy`]
    /// while another writer or finisher has the lease.
    pub(super) async fn open(store: &S3Store, id: PayloadId, offset: u64) -> Result<Self, StoreError> {
        let permit = store.writer_permit().await?;
        let (mut manifest, condition) = if let Some(found) = store.manifest(id).await? {
            (found.value, Condition::Is(found.version))
        } else {
            // Without a manifest the payload is either empty or complete.
            if let Some(length) = store.bucket().length(&StorageKey::payload(id)).await? {
                return Err(StoreError::OffsetMismatch { received_bytes: length });
            }
            (UploadManifest::default(), Condition::Absent)
        };
        if let Some(length) = manifest.complete_size {
            return Err(StoreError::OffsetMismatch { received_bytes: length });
        }
        if manifest.is_leased() {
            return Err(StoreError::WriterBusy);
        }
        let mut service_upload = manifest.service_upload.take().unwrap_or_default();
        if service_upload.length() != offset {
            return Err(StoreError::OffsetMismatch { received_bytes: service_upload.length() });
        }
        // Skips the part number that a previous writer with an expired lease may still be uploading.
        service_upload.next = service_upload.next.max(1) + u32::from(manifest.lease.is_some());
        let before = service_upload.clone();
        manifest.service_upload = Some(service_upload);
        manifest.lease = Some(Lease::new(false));
        let version = match store.write_manifest(id, condition, &manifest).await {
            Err(StoreError::Conflict) => return Err(StoreError::WriterBusy),
            set => set?,
        };
        let (store, written_at) = (store.clone(), Instant::now());
        let mut upload = Self {
            store,
            id,
            before,
            manifest,
            version,
            written_at,
            buffered: BytesMut::new(),
            uploading: None,
            failure: None,
            _permit: permit,
        };
        match upload.read_tail().await {
            Ok(tail) => upload.buffered = tail,
            Err(error) => {
                upload.failure = Some(error.for_later_writes());
                let _ = upload.release().await;
                return Err(error);
            }
        }
        Ok(upload)
    }

    fn service_upload(&mut self) -> &mut ServiceUpload {
        self.manifest.service_upload.get_or_insert_default()
    }

    async fn read_tail(&mut self) -> Result<BytesMut, StoreError> {
        let id = self.id;
        let Some(tail) = &self.service_upload().tail else { return Ok(BytesMut::new()) };
        let key = StorageKey::payload_piece(id, &tail.name);
        let tail_object = self.store.bucket().read(&key).await?.ok_or(StoreError::NoPayload)?;
        Ok(BytesMut::from(tail_object.body))
    }

    /// Buffers `bytes`, uploads full parts in the background, and renews the lease when it is due.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if let Some(error) = &self.failure {
            return Err(error.for_later_writes());
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let before = self.service_upload().parts.len() + usize::from(self.uploading.is_some());
            let space = part_size(before) - self.buffered.len();
            let (now, later) = rest.split_at(space.min(rest.len()));
            self.buffered.extend_from_slice(now);
            rest = later;
            if now.len() == space {
                self.start_part().await?;
            }
        }
        if self.written_at.elapsed() >= RENEW_INTERVAL {
            self.save_manifest().await?;
        }
        Ok(())
    }

    /// Starts to upload the buffer as a part, once the previous part is recorded.
    async fn start_part(&mut self) -> Result<(), StoreError> {
        self.finish_part().await?;
        let key = StorageKey::payload(self.id);
        if self.service_upload().upload.is_none() {
            self.service_upload().upload = Some(self.store.bucket().start_multipart(&key).await?);
            self.save_manifest().await?;
        }
        let upload = self.service_upload().upload.clone().expect("an upload was started above");
        let (number, body) = (self.service_upload().next, std::mem::take(&mut self.buffered).freeze());
        let (size, bucket) = (body.len() as u64, self.store.bucket().clone());
        let task = tokio::spawn(async move { bucket.put_part(&key, &upload, number, body).await });
        self.uploading = Some(PartUpload { number, size, task });
        Ok(())
    }

    /// Waits for the part upload in progress and records the part.
    async fn finish_part(&mut self) -> Result<(), StoreError> {
        let Some(upload) = self.uploading.take() else { return Ok(()) };
        let arrived = upload.task.await.map_err(StoreError::unavailable).flatten();
        let etag = match arrived {
            Ok(etag) => etag,
            Err(error) => {
                self.failure = Some(error.for_later_writes());
                // The part may still arrive, so its number is not reused.
                self.service_upload().next = upload.number + 1;
                return Err(error);
            }
        };
        let part = ServicePart { number: upload.number, etag, size: upload.size };
        let service_upload = self.service_upload();
        service_upload.next = part.number + 1;
        service_upload.parts.push(part);
        // The part contains the bytes of the tail; the tail object remains, since `discard` may restore the tail.
        service_upload.tail = None;
        self.save_manifest().await
    }

    /// Writes the manifest and renews the lease.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] if another writer took over the lease or the payload was removed.
    async fn save_manifest(&mut self) -> Result<(), StoreError> {
        if self.manifest.lease.is_some() {
            self.manifest.lease = Some(Lease::new(false));
        }
        let condition = Condition::Is(self.version.clone());
        self.version = match self.store.write_manifest(self.id, condition, &self.manifest).await {
            Err(StoreError::Conflict) => return Err(StoreError::NoPayload),
            set => set?,
        };
        self.written_at = Instant::now();
        Ok(())
    }

    /// Removes an unused tail object.
    ///
    /// If the removal fails, the removal of the payload also removes the object.
    async fn remove_tail(&self, tail: Option<&Tail>) {
        if let Some(tail) = tail
            && let Err(error) = self.store.bucket().remove(&[StorageKey::payload_piece(self.id, &tail.name)]).await
        {
            tracing::debug!(error = %chain(&error), "cannot remove an unused tail object of an upload; will retry");
        }
    }

    /// Stores the buffered bytes and returns the number of received bytes; 0 if the payload was removed.
    pub(super) async fn close(mut self) -> Result<u64, StoreError> {
        match self.release().await {
            Err(StoreError::NoPayload) => match self.store.manifest(self.id).await? {
                None => Ok(0),
                Some(_) => Err(StoreError::NoPayload),
            },
            other => other,
        }
    }

    /// Stores the buffered bytes and releases the lease; returns the number of received bytes.
    async fn release(&mut self) -> Result<u64, StoreError> {
        let result = self.finish_part().await;
        let mut new_tail = None;
        let stored_size = self.service_upload().tail.as_ref().map_or(0, |tail| tail.size);
        if self.failure.is_none() && self.buffered.len() as u64 != stored_size {
            let tail = Tail { name: random::name(), size: self.buffered.len() as u64 };
            let key = StorageKey::payload_piece(self.id, &tail.name);
            self.store.put_immutable(&key, std::mem::take(&mut self.buffered).freeze()).await?;
            new_tail = Some(tail.clone());
            self.service_upload().tail = Some(tail);
        }
        self.manifest.lease = None;
        if let Err(error) = self.save_manifest().await {
            self.remove_tail(new_tail.as_ref()).await;
            return Err(error);
        }
        let tail = self.service_upload().tail.clone();
        if self.before.tail != tail {
            self.remove_tail(self.before.tail.as_ref()).await;
        }
        result.map(|()| self.service_upload().length())
    }

    /// Restores the state before this writer.
    pub(super) async fn discard(mut self) -> Result<(), StoreError> {
        // Waits for the part in progress: a part that arrives later would occupy space that no quota counts.
        let has_ended = match self.uploading.take() {
            Some(upload) => matches!(upload.task.await, Ok(Ok(_))),
            None => self.failure.is_none(),
        };
        let (begun, before, reached) =
            (self.service_upload().upload.clone(), self.before.clone(), self.service_upload().next);
        let (service_upload, unused) = if before.parts.is_empty() {
            (ServiceUpload { upload: None, next: 1, ..before }, begun)
        } else {
            // New parts replace old parts with the same number. The number of a part that may still arrive is skipped.
            let next = if has_ended { before.next } else { reached + 1 };
            (ServiceUpload { upload: begun, next, ..before }, None)
        };
        *self.service_upload() = service_upload;
        self.manifest.lease = None;
        match self.save_manifest().await {
            // The payload was removed, with everything that this writer wrote.
            Err(StoreError::NoPayload) => return Ok(()),
            other => other?,
        }
        if let Some(upload) = unused
            && let Err(error) = self.store.bucket().abort_multipart(&StorageKey::payload(self.id), &upload).await
        {
            tracing::debug!(error = %chain(&error), "cannot abort a discarded multipart upload; will retry");
        }
        Ok(())
    }
}
