//! Record operations of the `file:` backend: rows of one table, ordered by key.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{OptionalExtension, Row};

use super::FileStore;
use crate::domain::store::{Commit, Listed, Prefix, Records, StorageKey, StoreError, Version, Versioned};

#[async_trait]
impl Records for FileStore {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<Bytes>>, StoreError> {
        let key = key.clone();
        let query = move |connection: &rusqlite::Connection| {
            connection
                .prepare_cached("SELECT value, version FROM object WHERE key = ?1")?
                .query_row([key.as_str()], |row| {
                    let version = Version(row.get::<_, i64>("version")?.to_string());
                    Ok(Versioned { value: bytes(row, "value")?.into(), version })
                })
                .optional()
        };
        self.0.read_pool.read(query).await
    }

    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        let (range, limit) = (PrefixRange::of(prefix, after), rows(limit));
        let query = move |connection: &rusqlite::Connection| {
            connection
                .prepare_cached("SELECT key FROM object WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3")?
                .query_map((range.from, range.before, limit), key)?
                .collect()
        };
        self.0.read_pool.read(query).await
    }

    async fn get_all(&self, keys: &[StorageKey]) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let keys = keys.to_vec();
        let query = move |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM object WHERE key = ?1")?;
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let value = statement.query_row([key.as_str()], |row| bytes(row, "value")).optional()?;
                found.extend(value.map(|value| (key, value.into())));
            }
            Ok(found)
        };
        self.0.read_pool.read(query).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Listed<(StorageKey, Bytes)>, StoreError> {
        let (range, count) = (PrefixRange::of(prefix, after), rows(limit.saturating_add(1)));
        let query = move |connection: &rusqlite::Connection| {
            connection
                .prepare_cached("SELECT key, value FROM object WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3")?
                .query_map((range.from, range.before, count), |row| Ok((key(row)?, bytes(row, "value")?.into())))?
                .collect()
        };
        Ok(Listed::of(self.0.read_pool.read(query).await?, limit, |(key, _): &(StorageKey, Bytes)| key.clone()))
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        self.0.commits.write(commit).await
    }
}

/// Range of the table that holds the keys with a prefix after a given key.
pub(super) struct PrefixRange {
    /// Start of the range, inclusive.
    pub(super) from: String,
    /// End of the range, exclusive. No key contains `char::MAX`.
    pub(super) before: String,
}

impl PrefixRange {
    /// Returns the range of keys under `prefix` after `after`.
    pub(super) fn of(prefix: &Prefix, after: Option<&StorageKey>) -> Self {
        let before = format!("{}{}", prefix.as_str(), char::MAX);
        let from = match after {
            // The smallest text greater than the key.
            Some(key) if key.as_str() >= prefix.as_str() => format!("{key}\0"),
            _ => prefix.as_str().to_owned(),
        };
        Self { from, before }
    }
}

/// Reads a BLOB column.
pub(super) fn bytes(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<u8>> {
    row.get(column)
}

fn key(row: &Row<'_>) -> rusqlite::Result<StorageKey> {
    row.get("key").map(StorageKey::from_backend)
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
