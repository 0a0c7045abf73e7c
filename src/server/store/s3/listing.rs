//! Which payloads there are: objects of theirs, and uploads that were begun and not ended.

use std::collections::BTreeMap;

use super::S3Store;
use crate::domain::id::TransferId;
use crate::domain::store::{Held, Records, StorageKey, StoreError};

/// Keys listed at once. Most of them are of records.
const PAGE: usize = 1_000;

/// What was found, by whose payload it is.
type Found = BTreeMap<TransferId, Parts>;

#[derive(Clone, Copy, Default)]
struct Parts {
    whole: bool,
    /// `upload.json`, which stays beside a payload that is whole.
    arriving: bool,
    /// Pieces, or an upload.
    left: bool,
}

impl S3Store {
    /// Lists payloads behind `after`, in the order of their ids.
    pub(super) async fn list_held(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<Held>, StoreError> {
        // The first ones of both lists are among the first ones of each.
        let mut found = self.objects(after, limit).await?;
        for id in self.uploads(after, limit).await? {
            found.entry(id).or_default().left = true;
        }
        let held = |(id, parts): (TransferId, Parts)| Held {
            id,
            whole: parts.whole,
            unfinished: parts.left || (parts.arriving && !parts.whole),
        };
        Ok(found.into_iter().take(limit).map(held).collect())
    }

    async fn objects(&self, after: Option<TransferId>, limit: usize) -> Result<Found, StoreError> {
        let (mut found, mut after) = (Found::new(), after.map(StorageKey::behind_transfer));
        loop {
            let keys = self.keys(&StorageKey::all_transfers(), after.as_ref(), PAGE).await?;
            for key in keys.iter().filter(|key| key.is_of_payload()) {
                let Some(id) = key.transfer_id() else { continue };
                if !found.contains_key(&id) && found.len() == limit {
                    return Ok(found);
                }
                let parts = found.entry(id).or_default();
                match key {
                    key if *key == StorageKey::payload(id) => parts.whole = true,
                    key if *key == StorageKey::payload_arriving(id) => parts.arriving = true,
                    _ => parts.left = true,
                }
            }
            after = keys.into_iter().next_back();
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn uploads(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<TransferId>, StoreError> {
        let (mut found, mut after) = (Vec::new(), after.map(StorageKey::behind_transfer));
        let prefix = StorageKey::all_transfers();
        loop {
            let (keys, more) = self.bucket().keys_of_uploads(prefix.as_str(), after.as_ref()).await?;
            found.extend(keys.iter().filter_map(StorageKey::transfer_id));
            found.dedup();
            if !more || found.len() >= limit {
                return Ok(found);
            }
            after = keys.into_iter().next_back();
        }
    }
}
