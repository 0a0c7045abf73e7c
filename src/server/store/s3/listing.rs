//! Lists stored payloads: their objects and their unfinished multipart uploads.

use std::collections::BTreeMap;

use super::S3Store;
use crate::domain::id::TransferId;
use crate::domain::store::{PayloadObjects, Records, StorageKey, StoreError};

/// Keys per list request. Most of the keys are keys of records.
const PAGE_SIZE: usize = 1_000;

/// Objects found, by transfer.
type FoundByTransfer = BTreeMap<TransferId, FoundObjects>;

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
        after: Option<TransferId>,
        limit: usize,
    ) -> Result<Vec<PayloadObjects>, StoreError> {
        // The first `limit` ids of the union are among the first `limit` of each list.
        let mut found = self.objects(after, limit).await?;
        for id in self.uploads(after, limit).await? {
            found.entry(id).or_default().pieces = true;
        }
        let to_objects = |(id, parts): (TransferId, FoundObjects)| PayloadObjects {
            id,
            finished: parts.finished,
            unfinished: parts.pieces || (parts.manifest && !parts.finished),
        };
        Ok(found.into_iter().take(limit).map(to_objects).collect())
    }

    async fn objects(&self, after: Option<TransferId>, limit: usize) -> Result<FoundByTransfer, StoreError> {
        let (mut found, mut after) = (FoundByTransfer::new(), after.map(StorageKey::after_transfer));
        loop {
            let keys = self.keys(&StorageKey::all_transfers(), after.as_ref(), PAGE_SIZE).await?;
            for key in keys.iter().filter(|key| key.belongs_to_payload()) {
                let Some(id) = key.transfer_id() else { continue };
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

    async fn uploads(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<TransferId>, StoreError> {
        let (mut found, mut after) = (Vec::new(), after.map(StorageKey::after_transfer));
        let prefix = StorageKey::all_transfers();
        loop {
            let (keys, more) = self.bucket().upload_keys(prefix.as_str(), after.as_ref()).await?;
            found.extend(keys.iter().filter_map(StorageKey::transfer_id));
            found.dedup();
            if !more || found.len() >= limit {
                return Ok(found);
            }
            after = keys.into_iter().next_back();
        }
    }
}
