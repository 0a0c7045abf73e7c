//! Record storage: small objects changed by compare-and-swap.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Commit, Prefix, StorageKey, StoreError, Version, Versioned};

/// Part of a listing, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// Items; objects that were removed meanwhile are omitted.
    pub items: Vec<T>,
    /// Key after which the listing continues; `None` at its end.
    ///
    /// The last listed key, not that of the last item: an object that was removed meanwhile must not end the listing.
    pub next: Option<StorageKey>,
}

impl<T> Listed<T> {
    /// Creates a part of at most `limit` items from up to `limit + 1` items with their keys.
    pub fn of(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> StorageKey) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(key);
        Self { items, next }
    }

    /// Converts the items.
    ///
    /// # Errors
    /// The first error of `convert`.
    pub fn try_map<U, E>(self, convert: impl FnMut(T) -> Result<U, E>) -> Result<Listed<U>, E> {
        Ok(Listed { items: self.items.into_iter().map(convert).collect::<Result<_, _>>()?, next: self.next })
    }
}

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

    /// Reads the objects at `keys`, in their order; omits missing objects.
    async fn get_all(&self, keys: &[StorageKey]) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(object) = self.get(key).await? {
                found.push((key.clone(), object.value));
            }
        }
        Ok(found)
    }

    /// Lists up to `limit` objects under `prefix` after the key `after`, in byte order.
    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Listed<(StorageKey, Bytes)>, StoreError> {
        let keys = self.keys(prefix, after, limit.saturating_add(1)).await?;
        let Listed { items: keys, next } = Listed::of(keys, limit, StorageKey::clone);
        Ok(Listed { items: self.get_all(&keys).await?, next })
    }

    /// Applies a commit durably; returns the new version of the changed object, if the commit has a change.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the condition of the change does not hold; no record is written then.
    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError>;
}
