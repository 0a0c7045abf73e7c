//! Lists stored payloads: their objects and their unfinished multipart uploads.

use std::collections::BTreeMap;

use super::S3Store;
use crate::domain::id::PayloadId;
use crate::domain::store::{PayloadObjects, Prefix, Records, StorageKey, StoreError};

/// Keys per list request. Most of the keys are keys of records.
const PAGE_SIZE: usize = 1_000;

/// Objects found, by payload.
type FoundObjectsById = BTreeMap<PayloadId, FoundObjects>;

#[derive(Clone, Copy, Default)]
struct FoundObjects {
    finished: bool,
    /// `upload.json`, which remains beside a complete payload.
    manifest: bool,
    /// Objects with pieces of a payload, or an unfinished multipart upload.
    pieces: bool,
}

impl S3Store {
    /// Lists at most `limit` payloads after `after`, in the order of their ids.
    pub(super) async fn list_payloads(
        &self,
        after: Option<PayloadId>,
        limit: usize,
    ) -> Result<Vec<PayloadObjects>, StoreError> {
        // The first `limit` ids of the union are among the first `limit` of each list.
        let mut found = self.objects(after, limit).await?;
        for id in self.uploads(after, limit).await? {
            found.entry(id).or_default().pieces = true;
        }
        let to_objects = |(id, parts): (PayloadId, FoundObjects)| PayloadObjects {
            id,
            finished: parts.finished,
            unfinished: parts.pieces || (parts.manifest && !parts.finished),
        };
        Ok(found.into_iter().take(limit).map(to_objects).collect())
    }

    async fn objects(&self, after: Option<PayloadId>, limit: usize) -> Result<FoundObjectsById, StoreError> {
        let mut found = FoundObjectsById::new();
        for (folder, after) in StorageKey::payload_folders(after) {
            found.extend(self.objects_in(&folder, after, limit).await?);
        }
        Ok(found)
    }

    async fn objects_in(
        &self,
        folder: &Prefix,
        mut after: Option<StorageKey>,
        limit: usize,
    ) -> Result<FoundObjectsById, StoreError> {
        let mut found = FoundObjectsById::new();
        loop {
            let keys = self.keys(folder, after.as_ref(), PAGE_SIZE).await?;
            for key in &keys {
                let Some(id) = key.payload_id() else { continue };
                if !found.contains_key(&id) && found.len() == limit {
                    return Ok(found);
                }
                let parts = found.entry(id).or_default();
                match key {
                    key if *key == StorageKey::payload(id) => parts.finished = true,
                    key if *key == StorageKey::upload_manifest(id) => parts.manifest = true,
                    _ => parts.pieces = true,
                }
            }
            after = keys.into_iter().next_back();
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn uploads(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadId>, StoreError> {
        let mut all = Vec::new();
        for (folder, mut after) in StorageKey::payload_folders(after) {
            let mut found = Vec::new();
            loop {
                let (keys, more) = self.bucket().upload_keys(folder.as_str(), after.as_ref()).await?;
                found.extend(keys.iter().filter_map(StorageKey::payload_id));
                found.dedup();
                if !more || found.len() >= limit {
                    break;
                }
                after = keys.into_iter().next_back();
            }
            all.append(&mut found);
        }
        Ok(all)
    }
}
