//! Upload manifest: the state of an unfinished payload in `upload.json` beside it.
//!
//! The manifest exists from the first byte through the service, or the first presigned URL of a part, until the payload
//! is removed. A payload that a client sends in one presigned PUT has no manifest. Every write, finish and removal of a
//! payload changes the manifest by compare-and-swap, so the slower of two concurrent operations detects the conflict.

use serde::{Deserialize, Serialize};

use super::S3Store;
use super::lease::Lease;
use super::multipart::ListedPart;
use crate::domain::id::PayloadId;
use crate::domain::store::{
    Change, Commit, Condition, Records, StorageKey, StoreError, Version, Versioned, read, to_json,
};
use crate::domain::version::V1;

/// Contents of `upload.json` beside a payload. The aliases are the names of the first stores of layout 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UploadManifest {
    v: V1,
    /// Id of the multipart upload that clients send parts to by presigned URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) presigned: Option<String>,
    /// Bytes that were uploaded through the service.
    #[serde(default, alias = "poured", skip_serializing_if = "Option::is_none")]
    pub(super) service_upload: Option<ServiceUpload>,
    /// Encrypted size in bytes, once the payload is complete.
    #[serde(default, alias = "whole", skip_serializing_if = "Option::is_none")]
    pub(super) complete_size: Option<u64>,
    /// Lease of the current writer or finisher.
    #[serde(default, alias = "holder", skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<Lease>,
}

/// Durable bytes of an upload through the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServiceUpload {
    /// Id of the multipart upload, once there are enough bytes for a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<String>,
    /// Parts of the payload, in order. Other parts of the multipart upload do not count.
    pub(super) parts: Vec<ServicePart>,
    /// Number of the next part. A writer that takes over an expired lease skips the number of a part that may still
    /// arrive.
    pub(super) next: u32,
    /// Object with the bytes after the last part, too few for a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Tail>,
}

/// Uploaded part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServicePart {
    pub(super) number: u32,
    pub(super) etag: String,
    pub(super) size: u64,
}

/// Object `transfers/{transfer_id}/upload/{name}` with the bytes after the last part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) name: String,
    pub(super) size: u64,
}

impl ServiceUpload {
    /// Returns the number of uploaded bytes.
    pub(super) fn length(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|part| part.size).sum();
        parts + self.tail.as_ref().map_or(0, |tail| tail.size)
    }
}

impl UploadManifest {
    /// Creates the manifest of a complete payload of `length` bytes.
    pub(super) fn complete(length: u64) -> Self {
        Self { complete_size: Some(length), ..Self::default() }
    }

    /// Returns whether a writer or finisher has a valid lease.
    pub(super) fn is_leased(&self) -> bool {
        self.lease.as_ref().is_some_and(Lease::is_valid)
    }

    /// Returns whether a writer has a valid lease.
    pub(super) fn has_writer(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_valid() && !lease.finishes)
    }
}

impl S3Store {
    /// Reads the manifest of a payload. Returns `None` if nothing has arrived, or the payload came in one presigned
    /// PUT.
    pub(super) async fn manifest(&self, id: PayloadId) -> Result<Option<Versioned<UploadManifest>>, StoreError> {
        read(self, &StorageKey::upload_manifest(id)).await
    }

    /// Writes the manifest if `condition` holds.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another operation changed the manifest.
    pub(super) async fn write_manifest(
        &self,
        id: PayloadId,
        condition: Condition,
        value: &UploadManifest,
    ) -> Result<Version, StoreError> {
        let change = Change { key: StorageKey::upload_manifest(id), condition, value: to_json(value) };
        let version = self.commit(Commit::of(change)).await?;
        Ok(version.expect("a commit with a change returns its version"))
    }

    /// Lists the parts that clients have sent by presigned URLs.
    pub(super) async fn presigned_parts(&self, id: PayloadId, upload: &str) -> Result<Vec<ListedPart>, StoreError> {
        self.bucket().parts(&StorageKey::payload(id), upload).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_first_stores_are_read() {
        let first = r#"{"v":1,"poured":{"parts":[{"number":1,"etag":"e","size":5}],"next":2},"whole":5,
            "holder":{"until":7,"finishes":false}}"#;
        let manifest: UploadManifest = serde_json::from_str(first).unwrap();
        let today = serde_json::to_value(&manifest).unwrap();
        assert_eq!((today["complete_size"].as_u64(), manifest.lease.is_some()), (Some(5), true));
        assert_eq!(manifest.service_upload.map(|upload| upload.next), Some(2));
    }
}
