//! Copies records byte for byte, and compares the records of source and destination.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::merged_listing::{MergedKey, MergedListing};
use super::{CopyError, Copying, Pass, add};
use crate::domain::store::{Change, Commit, Condition, Prefix, StorageKey, StoreError, Versioned};

/// Maximum number of records per batch. Each concurrent copy of a transfer has the values of one batch in memory, from
/// both stores.
const BATCH: usize = 200;
/// Number of concurrent reads.
const CONCURRENT_READS: usize = 16;

/// Values of one record in source and destination.
struct RecordPair {
    key: StorageKey,
    from: Option<Bytes>,
    to: Option<Versioned<Bytes>>,
}

impl RecordPair {
    fn is_same(&self) -> bool {
        self.from.as_ref() == self.to.as_ref().map(|to| &to.value)
    }
}

impl Copying<'_> {
    /// Copies or compares the records under `prefix`, except the states of transfers.
    pub(super) async fn records(&self, prefix: &Prefix, pass: Pass) -> Result<(), CopyError> {
        let mut listing = MergedListing::of(self.from, self.to, prefix);
        loop {
            let mut batch = listing.next(BATCH).await?;
            if batch.is_empty() {
                return Ok(());
            }
            batch.retain(|merged| !is_state(&merged.key));
            self.process_batch(batch, pass).await?;
        }
    }

    /// Makes one record equal in both stores, or compares it.
    pub(super) async fn record(&self, key: StorageKey, pass: Pass) -> Result<(), CopyError> {
        // The record is read from both stores. It may be missing in either.
        self.process_batch(vec![MergedKey { key, in_from: true, in_to: true }], pass).await
    }

    async fn process_batch(&self, batch: Vec<MergedKey>, pass: Pass) -> Result<(), CopyError> {
        let pairs = stream::iter(batch).map(|merged| self.read_pair(merged)).buffered(CONCURRENT_READS);
        let pairs: Vec<RecordPair> = Box::pin(pairs.try_collect()).await?;
        let in_source = pairs.iter().filter(|pair| pair.from.is_some()).count();
        let mut different = pairs.into_iter().filter(|pair| !pair.is_same());
        match pass {
            Pass::Write => self.write(different).await.map_err(CopyError::To),
            Pass::Compare => {
                add(&self.counts.records, in_source as u64);
                different.next().map_or(Ok(()), |pair| Err(CopyError::Differs { key: pair.key }))
            }
        }
    }

    async fn read_pair(&self, merged: MergedKey) -> Result<RecordPair, CopyError> {
        let MergedKey { key, in_from, in_to } = merged;
        let from = if in_from { self.from.get(&key).await.map_err(CopyError::From)? } else { None };
        let to = if in_to { self.to.get(&key).await.map_err(CopyError::To)? } else { None };
        Ok(RecordPair { key, from: from.map(|found| found.value), to })
    }

    /// Writes the differing records to the destination, and removes records missing from the source.
    async fn write(&self, different: impl Iterator<Item = RecordPair>) -> Result<(), StoreError> {
        // `Commit::records` never overwrites, so a differing record needs a commit with a condition of its own.
        let (mut records, mut removals) = (Vec::new(), Vec::new());
        for RecordPair { key, from, to } in different {
            match (from, to) {
                (Some(value), Some(to)) => {
                    let condition = Condition::Is(to.version);
                    self.to.commit(Commit::of(Change { key, condition, value })).await?;
                }
                (Some(value), None) => records.push((key, value)),
                (None, _) => removals.push(key),
            }
        }
        if records.is_empty() && removals.is_empty() {
            return Ok(());
        }
        self.to.commit(Commit { records, removals, ..Commit::default() }).await.map(drop)
    }
}

/// Returns whether `key` is the key of a transfer's state. States are copied last, by `Copying::transfer`.
fn is_state(key: &StorageKey) -> bool {
    key.transfer_id().is_some_and(|id| *key == StorageKey::transfer(id))
}
