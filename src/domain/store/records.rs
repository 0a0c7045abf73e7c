//! Record storage: small objects changed by compare-and-swap.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Commit, Prefix, StorageKey, StoreError, Version, Versioned};

/// Record storage of a backend.
///
/// No key is a path prefix of another key (`a` and `a/b`), since backends may map keys to file paths.
#[async_trait]
pub trait Records: Send + Sync {
    /// Reads an object; `None` if the object does not exist.
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError>;

    /// Lists up to `limit` keys under `prefix` after the key `after`, in byte order.
    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError>;

    /// Reads the objects listed by [`Records::keys`]; omits objects removed meanwhile.
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

    /// Applies a commit durably; returns the new version of the changed object, if the commit has a change.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the condition of the change does not hold; no record is written then.
    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError>;
}
