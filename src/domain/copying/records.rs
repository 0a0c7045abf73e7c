//! The records of a store: copied byte for byte, and compared.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::sides::{Sided, Sides};
use super::{CopyError, Copying, Pass, add};
use crate::domain::store::{Change, Commit, Condition, Prefix, StorageKey, StoreError, Versioned};

/// Records that are in memory at once, for each prefix that is worked on.
const BATCH: usize = 200;
/// Records that are read at once.
const AT_ONCE: usize = 16;

/// A record on both sides.
struct Pair {
    key: StorageKey,
    from: Option<Bytes>,
    to: Option<Versioned<Bytes>>,
}

impl Pair {
    fn is_same(&self) -> bool {
        self.from.as_ref() == self.to.as_ref().map(|to| &to.value)
    }
}

impl Copying<'_> {
    /// The records under `prefix`, but for the state of a transfer.
    pub(super) async fn records(&self, prefix: &Prefix, pass: Pass) -> Result<(), CopyError> {
        let mut sides = Sides::of(self.from, self.to, prefix);
        loop {
            let mut batch = sides.next(BATCH).await?;
            if batch.is_empty() {
                return Ok(());
            }
            batch.retain(|sided| !is_state(&sided.key));
            self.batch(batch, pass).await?;
        }
    }

    /// One record.
    pub(super) async fn record(&self, key: StorageKey, pass: Pass) -> Result<(), CopyError> {
        self.batch(vec![Sided { key, in_from: true, in_to: true }], pass).await
    }

    async fn batch(&self, batch: Vec<Sided>, pass: Pass) -> Result<(), CopyError> {
        let pairs = stream::iter(batch).map(|sided| self.pair(sided)).buffered(AT_ONCE);
        let pairs: Vec<Pair> = Box::pin(pairs.try_collect()).await?;
        let there = pairs.iter().filter(|pair| pair.from.is_some()).count();
        let mut different = pairs.into_iter().filter(|pair| !pair.is_same());
        match pass {
            Pass::Write => self.write(different).await.map_err(CopyError::To),
            Pass::Compare => {
                add(&self.counts.records, there as u64);
                different.next().map_or(Ok(()), |pair| Err(CopyError::Differs { key: pair.key }))
            }
        }
    }

    async fn pair(&self, sided: Sided) -> Result<Pair, CopyError> {
        let Sided { key, in_from, in_to } = sided;
        let from = if in_from { self.from.get(&key).await.map_err(CopyError::From)? } else { None };
        let to = if in_to { self.to.get(&key).await.map_err(CopyError::To)? } else { None };
        Ok(Pair { key, from: from.map(|found| found.value), to })
    }

    /// Makes the copy be like the original.
    async fn write(&self, different: impl Iterator<Item = Pair>) -> Result<(), StoreError> {
        let (mut records, mut removals) = (Vec::new(), Vec::new());
        for Pair { key, from, to } in different {
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

/// Whether this is the state of a transfer, which is written when all the rest of it is there.
fn is_state(key: &StorageKey) -> bool {
    key.transfer_id().is_some_and(|id| *key == StorageKey::transfer(id))
}
