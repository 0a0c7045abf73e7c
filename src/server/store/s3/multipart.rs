//! Requests for multipart uploads.

use std::collections::BTreeMap;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};
use bytes::Bytes;

use super::bucket::{Bucket, large_timeouts, length};
use super::error::{request_error, status};
use crate::domain::store::{StorageKey, StoreError};

/// Maximum number of pages of a list of parts.
///
/// An upload has at most 10 000 parts, a page usually 1 000.
const MAX_PART_PAGES: usize = 100;
/// Size of each of the first [`FIRST_PART_COUNT`] parts in bytes (8 MiB). An upload buffers up to two parts in memory.
const FIRST_PART_SIZE: usize = 8 << 20;
/// Size of later parts in bytes (72 MiB). 10 000 parts hold the largest payload that can be configured.
const LATER_PART_SIZE: usize = 72 << 20;
/// Number of parts with the smaller size.
const FIRST_PART_COUNT: usize = 500;

/// Part of a multipart upload, as listed by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedPart {
    pub(super) number: u32,
    pub(super) etag: String,
    pub(super) size: u64,
}

/// Returns the size in bytes of the part that follows `before` parts of an upload through the service.
pub(super) fn part_size(before: usize) -> usize {
    if before < FIRST_PART_COUNT { FIRST_PART_SIZE } else { LATER_PART_SIZE }
}

impl Bucket {
    /// Lists one page of the keys of unfinished multipart uploads with the prefix `prefix` after `after`.
    ///
    /// The flag tells whether more pages follow.
    pub(super) async fn upload_keys(
        &self,
        prefix: &str,
        after: Option<&StorageKey>,
    ) -> Result<(Vec<StorageKey>, bool), StoreError> {
        let request = self.client.list_multipart_uploads().bucket(&self.name);
        let request = request.prefix(format!("{}{prefix}", self.prefix));
        let listed =
            request.set_key_marker(after.map(|after| self.object_key(after))).send().await.map_err(request_error)?;
        let names = listed.uploads().iter().filter_map(|upload| upload.key());
        let own = names.filter_map(|name| name.strip_prefix(&self.prefix));
        let mut keys: Vec<_> = own.map(|name| StorageKey::from_backend(name.to_owned())).collect();
        // Some S3-compatible servers ignore the order or the marker.
        keys.retain(|key| after.is_none_or(|after| key > after));
        keys.sort();
        let has_more = listed.is_truncated() == Some(true) && !keys.is_empty();
        Ok((keys, has_more))
    }

    /// Starts a multipart upload and returns its id.
    pub(super) async fn start_multipart(&self, key: &StorageKey) -> Result<String, StoreError> {
        let request = self.client.create_multipart_upload().bucket(&self.name).key(self.object_key(key));
        let begun = request.content_type("application/octet-stream").send().await.map_err(request_error)?;
        begun
            .upload_id
            .ok_or_else(|| StoreError::unavailable("response to a new multipart upload without an upload ID"))
    }

    /// Uploads a part and returns its entity tag.
    pub(super) async fn put_part(
        &self,
        key: &StorageKey,
        upload: &str,
        number: u32,
        body: Bytes,
    ) -> Result<String, StoreError> {
        let request = self.client.upload_part().bucket(&self.name).key(self.object_key(key)).upload_id(upload);
        let request = request.part_number(part_number(number)).body(body.into());
        let put = request.customize().config_override(Builder::new().timeout_config(large_timeouts())).send().await;
        match put {
            Ok(put) => Ok(put.e_tag.unwrap_or_default()),
            // The upload was aborted when its transfer's payload was removed.
            Err(error) if status(&error) == Some(404) => Err(StoreError::NoPayload),
            Err(error) => {
                let error = request_error(error);
                self.note_space(Some(&error));
                Err(error)
            }
        }
    }

    /// Lists the arrived parts of a multipart upload, in order; empty if the upload has ended.
    pub(super) async fn parts(&self, key: &StorageKey, upload: &str) -> Result<Vec<ListedPart>, StoreError> {
        let (mut found, mut marker) = (Vec::new(), None);
        for _ in 0..MAX_PART_PAGES {
            let request = self.client.list_parts().bucket(&self.name).key(self.object_key(key)).upload_id(upload);
            let listed = match request.set_part_number_marker(marker).send().await {
                Ok(listed) => listed,
                Err(error) if status(&error) == Some(404) => return Ok(Vec::new()),
                Err(error) => return Err(request_error(error)),
            };
            found.extend(listed.parts().iter().cloned());
            marker =
                listed.next_part_number_marker().map(str::to_owned).filter(|_| listed.is_truncated() == Some(true));
            if marker.is_none() {
                return Ok(latest(found));
            }
        }
        Err(StoreError::unavailable("the bucket keeps listing parts"))
    }

    /// Returns whether a multipart upload still accepts parts.
    pub(super) async fn is_open(&self, key: &StorageKey, upload: &str) -> Result<bool, StoreError> {
        let request = self.client.list_parts().bucket(&self.name).key(self.object_key(key)).upload_id(upload);
        match request.max_parts(1).send().await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(request_error(error)),
        }
    }

    /// Completes a multipart upload, unless the object exists already.
    ///
    /// Succeeds as well if the upload has ended before: the caller must check whether the object exists.
    pub(super) async fn complete_multipart(
        &self,
        key: &StorageKey,
        upload: &str,
        parts: impl Iterator<Item = (u32, String)>,
    ) -> Result<(), StoreError> {
        let part = |(number, etag)| CompletedPart::builder().part_number(part_number(number)).e_tag(etag).build();
        let all = CompletedMultipartUpload::builder().set_parts(Some(parts.map(part).collect())).build();
        let request = self.client.complete_multipart_upload().bucket(&self.name).key(self.object_key(key));
        let request = request.upload_id(upload).multipart_upload(all).if_none_match("*");
        let large = Builder::new().timeout_config(large_timeouts());
        match request.customize().config_override(large).send().await {
            Ok(_) => Ok(()),
            // The upload was completed or aborted before.
            Err(error) if matches!(status(&error), Some(404 | 412)) => Ok(()),
            Err(error) => Err(request_error(error)),
        }
    }

    /// Aborts a multipart upload and removes its parts.
    pub(super) async fn abort_multipart(&self, key: &StorageKey, upload: &str) -> Result<(), StoreError> {
        let request =
            self.client.abort_multipart_upload().bucket(&self.name).key(self.object_key(key)).upload_id(upload);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(request_error(error)),
        }
    }

    /// Lists the unfinished multipart uploads of an object.
    pub(super) async fn unfinished_uploads(&self, key: &StorageKey) -> Result<Vec<String>, StoreError> {
        let name = self.object_key(key);
        let listed = self
            .client
            .list_multipart_uploads()
            .bucket(&self.name)
            .prefix(&name)
            .send()
            .await
            .map_err(request_error)?;
        let of_key = listed.uploads().iter().filter(|upload| upload.key() == Some(&name));
        Ok(of_key.filter_map(|upload| upload.upload_id().map(str::to_owned)).collect())
    }
}

/// Returns the listed parts in order. Some servers list a part twice that was sent twice: only the latest is returned.
fn latest(listed: Vec<Part>) -> Vec<ListedPart> {
    let mut parts = BTreeMap::new();
    for part in listed {
        let number = part.part_number().and_then(|number| number.try_into().ok()).unwrap_or(0);
        let kept = parts.entry(number).or_insert_with(|| part.clone());
        if part.last_modified() > kept.last_modified() {
            *kept = part;
        }
    }
    let describe = |(number, part): (u32, Part)| ListedPart {
        number,
        etag: part.e_tag().unwrap_or_default().to_owned(),
        size: length(part.size()),
    };
    parts.into_iter().map(describe).collect()
}

fn part_number(number: u32) -> i32 {
    i32::try_from(number).expect("there are at most 10 000 parts")
}
