//! Merged listing of the keys of source and destination under one prefix.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::CopyError;
use crate::domain::store::{Prefix, StorageKey, Store, StoreError};

/// Number of keys per list request.
const PAGE_SIZE: usize = 500;

/// Key with its presence in source and destination.
pub(super) struct MergedKey {
    pub(super) key: StorageKey,
    pub(super) in_from: bool,
    pub(super) in_to: bool,
}

/// Merged iteration over the record keys of both stores, in key order.
///
/// The caller may write to the destination during the iteration, at keys already returned. Each list request starts
/// after the last key of the page before, so keys written meanwhile are not returned again.
pub(super) struct MergedListing<'a> {
    from: KeyListing<'a>,
    to: KeyListing<'a>,
}

/// Paged listing of the record keys of one store.
struct KeyListing<'a> {
    store: &'a dyn Store,
    prefix: Prefix,
    page: VecDeque<StorageKey>,
    after: Option<StorageKey>,
    at_end: bool,
}

impl<'a> MergedListing<'a> {
    pub(super) fn of(from: &'a dyn Store, to: &'a dyn Store, prefix: &Prefix) -> Self {
        let keys =
            |store| KeyListing { store, prefix: prefix.clone(), page: VecDeque::new(), after: None, at_end: false };
        Self { from: keys(from), to: keys(to) }
    }

    /// Returns up to `limit` further keys; an empty list after the last key.
    pub(super) async fn next(&mut self, limit: usize) -> Result<Vec<MergedKey>, CopyError> {
        let mut merged = Vec::new();
        while merged.len() < limit {
            let from = self.from.peek().await.map_err(CopyError::From)?;
            let to = self.to.peek().await.map_err(CopyError::To)?;
            let order = match (from, to) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(from), Some(to)) => from.cmp(to),
            };
            let from = if order.is_le() { self.from.page.pop_front() } else { None };
            let to = if order.is_ge() { self.to.page.pop_front() } else { None };
            let (in_from, in_to) = (from.is_some(), to.is_some());
            merged.extend(from.or(to).map(|key| MergedKey { key, in_from, in_to }));
        }
        Ok(merged)
    }
}

impl KeyListing<'_> {
    async fn peek(&mut self) -> Result<Option<&StorageKey>, StoreError> {
        while self.page.is_empty() && !self.at_end {
            let keys = self.store.keys(&self.prefix, self.after.as_ref(), PAGE_SIZE).await?;
            self.at_end = keys.is_empty();
            self.after = keys.last().cloned();
            self.page = keys.into_iter().filter(|key| !key.belongs_to_payload() && !key.is_probe()).collect();
        }
        Ok(self.page.front())
    }
}
