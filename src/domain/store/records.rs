//! Small objects that change by compare-and-swap.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Commit, Prefix, StorageKey, StoreError, Version, Versioned};

/// The records of a store. No key is the beginning of another, followed by `/`: some backends keep keys as paths.
#[async_trait]
pub trait Records: Send + Sync {
    /// Reads one object; `None` where there is none.
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError>;

    /// Lists at most `limit` keys under `prefix`, in the order of their bytes, that come after `after`.
    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError>;

    /// Reads the objects that [`Records::keys`] would list; those that go meanwhile are left out.
    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let mut found = Vec::new();
        for key in self.keys(prefix, after, limit).await? {
            if let Some(object) = self.get(&key).await? {
                found.push((key, object.value));
            }
        }
        Ok(found)
    }

    /// Writes durably, before it answers. The version is that of the changed object, where there is one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the change's condition does not hold: then nothing was written.
    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError>;
}
