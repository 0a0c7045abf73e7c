//! Payload operations of the S3 backend; a complete payload is one object.

use std::ops::Range;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::S3Store;
use super::lease::Lease;
use super::manifest::{ServiceUpload, UploadManifest};
use super::reader::ObjectReader;
use super::writer::S3Writer;
use crate::domain::error::chain;
use crate::domain::id::PayloadId;
use crate::domain::store::{
    Condition, PayloadObjects, PayloadStream, PayloadWriter, Payloads, Records, StorageKey, StoreError, Versioned,
};

/// Maximum number of listed pieces of one payload. A payload normally has one piece, or two after a server crash.
const PIECES: usize = 1_000;
/// Attempts to finish a payload that changes concurrently. Also the rounds of aborting its multipart uploads.
const MAX_ATTEMPTS: u32 = 5;

#[async_trait]
impl Payloads for S3Store {
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError> {
        match self.manifest(id).await? {
            Some(found) => self.arrived_length(id, &found.value).await,
            None => self.complete_length(id).await,
        }
    }

    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        Ok(Box::new(S3Writer::open(self, id, offset).await?))
    }

    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(found) = self.manifest(id).await? else { return self.complete_length(id).await };
            if found.value.has_writer() {
                return Err(StoreError::WriterBusy);
            }
            let length = self.arrived_length(id, &found.value).await?;
            if length != size || found.value.complete_size.is_some() {
                return Ok(length);
            }
            match self.complete(id, found).await {
                Err(StoreError::Conflict) => {}
                finished => return finished,
            }
        }
        Err(StoreError::WriterBusy)
    }

    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        let key = StorageKey::payload(id);
        if range.is_empty() {
            let length = self.bucket().length(&key).await?;
            let covers = range.start == range.end && length.is_some_and(|length| range.end <= length);
            return if covers { Ok(stream::empty().boxed()) } else { Err(StoreError::NoPayload) };
        }
        Ok(ObjectReader::open(self.bucket(), key, range).await?.into_stream())
    }

    async fn remove(&self, id: PayloadId) -> Result<(), StoreError> {
        let (whole, manifest) = (StorageKey::payload(id), StorageKey::upload_manifest(id));
        // Removed first: a concurrent `finish` checks at its end whether the manifest still exists.
        self.bucket().remove(&[manifest]).await?;
        self.bucket().remove(std::slice::from_ref(&whole)).await?;
        if self.abort_uploads(id).await? {
            // A multipart upload may have been completed between the removal and the abort.
            self.bucket().remove(&[whole]).await?;
        }
        self.remove_pieces(id).await
    }

    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        self.list_payloads(after, limit).await
    }
}

impl S3Store {
    /// Returns the length of a complete payload; 0 if there is none.
    async fn complete_length(&self, id: PayloadId) -> Result<u64, StoreError> {
        Ok(self.bucket().length(&StorageKey::payload(id)).await?.unwrap_or(0))
    }

    /// Returns the number of received bytes of a payload that may be unfinished.
    async fn arrived_length(&self, id: PayloadId, manifest: &UploadManifest) -> Result<u64, StoreError> {
        let parts = match manifest {
            UploadManifest { complete_size: Some(length), .. } => return Ok(*length),
            UploadManifest { service_upload: Some(service_upload), .. } => return Ok(service_upload.length()),
            UploadManifest { presigned: Some(upload), .. } => self.presigned_parts(id, upload).await?,
            _ => Vec::new(),
        };
        match parts.iter().map(|part| part.size).sum() {
            // No part has arrived, or a server completed the upload and crashed before it recorded the completion.
            0 => self.complete_length(id).await,
            length => Ok(length),
        }
    }

    /// Completes the payload's object and returns its length; 0 if the payload was removed concurrently.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another operation changed the manifest.
    async fn complete(&self, id: PayloadId, found: Versioned<UploadManifest>) -> Result<u64, StoreError> {
        let (mut manifest, key) = (found.value, StorageKey::payload(id));
        manifest.lease = Some(Lease::new(true));
        let version = self.write_manifest(id, Condition::Is(found.version), &manifest).await?;
        // The object exists if another server completed it and crashed before it recorded the completion.
        let mut length = self.complete_length(id).await?;
        if length == 0 {
            let joined = match (&manifest.service_upload, &manifest.presigned) {
                (Some(service_upload), _) => self.complete_service_upload(id, service_upload).await,
                (None, Some(upload)) => self.complete_presigned_upload(id, upload).await,
                (None, None) => Ok(()),
            };
            length = self.complete_length(id).await?;
            match joined {
                Ok(()) | Err(StoreError::NoPayload) => {}
                // A concurrent finisher may have completed the object.
                Err(error) if length == 0 => return Err(error),
                Err(_) => {}
            }
        }
        // A lifecycle rule or the bucket's owner has removed the parts: the upload starts again.
        let outcome = if length == 0 { UploadManifest::default() } else { UploadManifest::complete(length) };
        match self.write_manifest(id, Condition::Is(version), &outcome).await {
            Ok(_) => {}
            Err(StoreError::Conflict) if self.manifest(id).await?.is_none() => {
                // The payload was removed, perhaps before its object was completed.
                self.bucket().remove(&[key]).await?;
                return Ok(0);
            }
            Err(error) => return Err(error),
        }
        // Removes superfluous parts, such as parts of a presigned upload that was continued through the service. If
        // this fails, they are removed together with the payload.
        let tidied = async {
            self.abort_uploads(id).await?;
            self.remove_pieces(id).await
        };
        if let Err(error) = tidied.await {
            tracing::warn!(error = %chain(&error), "cannot remove superfluous parts of an upload; will retry");
        }
        Ok(length)
    }

    /// Aborts all unfinished multipart uploads of a payload; returns whether there were any.
    async fn abort_uploads(&self, id: PayloadId) -> Result<bool, StoreError> {
        let key = StorageKey::payload(id);
        // Each round aborts one page of uploads.
        for round in 0..MAX_ATTEMPTS {
            let uploads = self.bucket().unfinished_uploads(&key).await?;
            if uploads.is_empty() {
                return Ok(round > 0);
            }
            for upload in uploads {
                self.bucket().abort_multipart(&key, &upload).await?;
            }
        }
        Ok(true)
    }

    /// Completes the multipart upload that clients have sent parts to.
    async fn complete_presigned_upload(&self, id: PayloadId, upload: &str) -> Result<(), StoreError> {
        let parts = self.presigned_parts(id, upload).await?;
        if parts.is_empty() {
            return Ok(());
        }
        let parts = parts.into_iter().map(|part| (part.number, part.etag));
        self.bucket().complete_multipart(&StorageKey::payload(id), upload, parts).await
    }

    /// Completes the object from the bytes that were uploaded through the service.
    async fn complete_service_upload(&self, id: PayloadId, service_upload: &ServiceUpload) -> Result<(), StoreError> {
        let key = StorageKey::payload(id);
        let tail = match &service_upload.tail {
            Some(tail) => self.bucket().read(&StorageKey::payload_piece(id, &tail.name)).await?.map(|read| read.body),
            None => None,
        };
        let Some(upload) = &service_upload.upload else {
            return self.put_immutable(&key, tail.unwrap_or_default()).await;
        };
        let mut parts: Vec<_> = service_upload.parts.iter().map(|part| (part.number, part.etag.clone())).collect();
        if let Some(tail) = tail {
            parts.push((service_upload.next, self.bucket().put_part(&key, upload, service_upload.next, tail).await?));
        }
        self.bucket().complete_multipart(&key, upload, parts.into_iter()).await
    }

    async fn remove_pieces(&self, id: PayloadId) -> Result<(), StoreError> {
        let pieces = self.keys(&StorageKey::payload_pieces(id), None, PIECES).await?;
        self.bucket().remove(&pieces).await
    }
}
