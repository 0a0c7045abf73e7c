//! Presigned requests, which clients send to the bucket directly.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::S3Store;
use super::bucket::Bucket;
use super::error::request_error;
use super::manifest::UploadManifest;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::id::PayloadId;
use crate::domain::store::{Condition, Presigner, SignedRequest, StorageKey, StoreError};
use crate::domain::transfer::PartPlan;

/// Shortest lifetime of a presigned request.
const MIN_URL_LIFETIME: Duration = Duration::from_secs(1);

#[async_trait]
impl Presigner for S3Store {
    async fn put(&self, id: PayloadId, size: u64, lifetime: Duration) -> Result<SignedRequest, StoreError> {
        sign_put(self.bucket(), &StorageKey::payload(id), size, lifetime).await
    }

    async fn parts(
        &self,
        id: PayloadId,
        plan: PartPlan,
        numbers: &[u32],
        lifetime: Duration,
    ) -> Result<Vec<SignedRequest>, StoreError> {
        let upload = self.presigned_upload(id).await?;
        let config = presigning_config(lifetime)?;
        let sign = async |number: u32| {
            let bucket = self.bucket();
            let length = plan.length(number).expect("callers pass part numbers of the plan");
            let request = bucket
                .signer
                .upload_part()
                .bucket(&bucket.name)
                .key(bucket.object_key(&StorageKey::payload(id)))
                .upload_id(&upload)
                .part_number(i32::try_from(number).expect("there are at most 10 000 parts"))
                .content_length(signed_length(length));
            let signed = request.presigned(config.clone()).await.map_err(request_error)?;
            Ok(to_signed_request(&signed, lifetime))
        };
        stream::iter(numbers.iter().copied()).then(sign).try_collect().await
    }

    async fn received_parts(&self, id: PayloadId) -> Result<Vec<u32>, StoreError> {
        match self.manifest(id).await?.and_then(|found| found.value.presigned) {
            Some(upload) => Ok(self.presigned_parts(id, &upload).await?.into_iter().map(|part| part.number).collect()),
            None => Ok(Vec::new()),
        }
    }

    async fn get(&self, id: PayloadId, lifetime: Duration) -> Result<SignedRequest, StoreError> {
        sign_get(self.bucket(), &StorageKey::payload(id), lifetime).await
    }
}

impl S3Store {
    /// Returns the id of the multipart upload for presigned parts; starts the upload if none is open.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] if the payload is complete or partly uploaded through the service.
    async fn presigned_upload(&self, id: PayloadId) -> Result<String, StoreError> {
        let key = StorageKey::payload(id);
        loop {
            let (mut manifest, condition) = match self.manifest(id).await? {
                Some(found) => (found.value, Condition::Is(found.version)),
                None => (UploadManifest::default(), Condition::Absent),
            };
            if manifest.complete_size.is_some() || manifest.service_upload.is_some() {
                // The payload was completed or partly uploaded through the service after the caller's check.
                return Err(StoreError::NoPayload);
            }
            if let Some(upload) = manifest.presigned {
                if self.bucket().is_open(&key, &upload).await? {
                    return Ok(upload);
                }
                tracing::warn!(
                    "an unfinished upload is missing from the bucket: check for a lifecycle rule that aborts uploads"
                );
            }
            let upload = self.bucket().start_multipart(&key).await?;
            manifest.presigned = Some(upload.clone());
            match self.write_manifest(id, condition, &manifest).await {
                Ok(_) => return Ok(upload),
                // On a conflict, another server has recorded its own upload: all parts must go into that upload.
                Err(error) => {
                    self.bucket().abort_multipart(&key, &upload).await?;
                    if !matches!(error, StoreError::Conflict) {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// Signs a request that creates an object of `size` bytes, and fails if the object exists.
pub(super) async fn sign_put(
    bucket: &Bucket,
    key: &StorageKey,
    size: u64,
    lifetime: Duration,
) -> Result<SignedRequest, StoreError> {
    let request = bucket
        .signer
        .put_object()
        .bucket(&bucket.name)
        .key(bucket.object_key(key))
        .content_type("application/octet-stream")
        .content_length(signed_length(size))
        .if_none_match("*");
    let signed = request.presigned(presigning_config(lifetime)?).await.map_err(request_error)?;
    Ok(to_signed_request(&signed, lifetime))
}

/// Signs a request that reads an object.
pub(super) async fn sign_get(
    bucket: &Bucket,
    key: &StorageKey,
    lifetime: Duration,
) -> Result<SignedRequest, StoreError> {
    let request = bucket.signer.get_object().bucket(&bucket.name).key(bucket.object_key(key));
    let signed = request.presigned(presigning_config(lifetime)?).await.map_err(request_error)?;
    Ok(to_signed_request(&signed, lifetime))
}

fn presigning_config(lifetime: Duration) -> Result<PresigningConfig, StoreError> {
    let config =
        PresigningConfig::builder().start_time(SystemTime::now()).expires_in(lifetime.max(MIN_URL_LIFETIME)).build();
    config.map_err(StoreError::unavailable)
}

fn signed_length(length: u64) -> i64 {
    i64::try_from(length).expect("payloads are smaller than 2^63 bytes")
}

/// Converts a request presigned by the SDK. Omits `content-length` and `host`, which clients set themselves, and the trace
/// id that the SDK adds in Lambda functions, which it does not sign.
fn to_signed_request(signed: &PresignedRequest, lifetime: Duration) -> SignedRequest {
    let is_sent = |name: &str| !matches!(name, "content-length" | "host" | "x-amzn-trace-id");
    let headers: BTreeMap<String, String> = signed
        .headers()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| is_sent(name))
        .collect();
    SignedRequest {
        method: signed.method().to_owned(),
        url: signed.uri().to_owned(),
        headers,
        expires_at: SystemClock.now().plus(lifetime.max(MIN_URL_LIFETIME)),
    }
}
