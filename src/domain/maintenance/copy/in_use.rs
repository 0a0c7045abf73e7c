//! Copy of a store that services use meanwhile, for a backup.
//!
//! A bucket cannot be read at one point in time. So the copy is exact for each transfer: its state is read first, then
//! its payload and records are copied, and then that very state is written. What belongs to several transfers is copied
//! afterwards: links, lists, schedule, tokens and counters. Where these differ from the transfers copied before, the
//! repair of the copy corrects them from the transfers.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};

use super::{CopyCounts, CopyError, CopyObserver, Copying, MAX_CONCURRENT_TRANSFERS, Pass, add, next_transfer};
use crate::domain::clock::Clock;
use crate::domain::id::{PayloadId, TransferId};
use crate::domain::maintenance::check::check;
use crate::domain::maintenance::repair::repair;
use crate::domain::store::{Change, Commit, Condition, StorageKey, Store, StoreError, StoreHeader, from_json};
use crate::domain::transfer::Transfer;

/// Number of attempts to copy a transfer whose payload is removed or replaced during each of them.
const MAX_ATTEMPTS: u32 = 10;

/// Payloads that the destination can get without reading the source.
pub trait KnownPayloads: Send + Sync {
    /// Adds a finished payload of `size` bytes to the destination; returns `false` if it is unknown.
    ///
    /// # Errors
    /// [`StoreError`] if the payload is known but cannot be added.
    fn add(&self, id: PayloadId, size: u64) -> Result<bool, StoreError>;
}

/// Statistics of a copy of a store in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopiedInUse {
    /// Number of payloads that were read from the source.
    pub payloads_copied: u64,
    /// Encrypted bytes that were read from the source.
    pub bytes_copied: u64,
    /// Number of payloads that the source lacks although their transfers can be downloaded.
    pub lost: u64,
    /// Number of findings of the integrity check that the repair of the copy could not mend.
    pub findings: u64,
}

/// Copies the store `from` into the empty store `to` while services use `from`, and repairs the copy.
///
/// Undelivered notifications are not copied, nor are the partial payloads of pending transfers. Transfers whose payload
/// the source lacks are deleted in the copy.
///
/// # Errors
/// [`CopyError`]. What is in `to` then is of no use; payloads may be.
pub async fn copy_in_use(
    from: &dyn Store,
    to: &dyn Store,
    known: &dyn KnownPayloads,
    clock: &dyn Clock,
    watch: &dyn CopyObserver,
) -> Result<CopiedInUse, CopyError> {
    let header = from.get(&StorageKey::header()).await.map_err(CopyError::From)?.ok_or(CopyError::NoStore)?.value;
    StoreHeader::parse(&header).map_err(CopyError::From)?;
    let copying = Copying { from, to, watch, resumed: false, counts: CopyCounts::default() };
    watch.begin(copying.bytes_expected().await?);
    let ids = stream::try_unfold(None, async |after| {
        let next = next_transfer(from, after).await.map_err(CopyError::From)?;
        Ok::<_, CopyError>(next.map(|id| (id, Some(id))))
    });
    let copy = |id| copying.transfer_in_use(id, known);
    Box::pin(ids.try_for_each_concurrent(MAX_CONCURRENT_TRANSFERS, copy)).await?;
    copying.records(&StorageKey::all_links(), Pass::Write).await?;
    copying.other_records(Pass::Write).await?;
    copying.records(&StorageKey::tokens(), Pass::Write).await?;
    write(to, StorageKey::header(), header).await?;
    watch.compares();
    let found = Box::pin(check(to)).await.map_err(CopyError::To)?;
    let repaired = Box::pin(repair(to, clock, found)).await.map_err(CopyError::To)?;
    Ok(copying.counts.in_use(repaired.left.finding_count))
}

impl Copying<'_> {
    /// Copies one transfer: the payload and the records that its state needs, and then the state.
    ///
    /// A transfer that is removed meanwhile is left out. Its other records, if any were copied, go with the repair.
    async fn transfer_in_use(&self, id: TransferId, known: &dyn KnownPayloads) -> Result<(), CopyError> {
        let key = StorageKey::transfer(id);
        for _ in 0..MAX_ATTEMPTS {
            let Some(state) = self.from.get(&key).await.map_err(CopyError::From)? else { return Ok(()) };
            // The check reports a state that cannot be read.
            let transfer = from_json::<Transfer>(key.as_str(), &state.value).ok();
            if let Some(transfer) = transfer.filter(Transfer::is_downloadable) {
                match self.payload_in_use(&transfer, known).await {
                    Ok(()) => {}
                    Err(CopyError::NoPayload { .. } | CopyError::Damaged { .. }) => {
                        let now = self.from.get(&key).await.map_err(CopyError::From)?;
                        if now.is_none_or(|now| now.version != state.version) {
                            continue;
                        }
                        add(&self.counts.lost, 1);
                    }
                    Err(error) => return Err(error),
                }
            }
            self.records(&StorageKey::all_of_transfer(id), Pass::Write).await?;
            return write(self.to, key, state.value).await;
        }
        Err(CopyError::Differs { key })
    }

    /// Adds the payload of a transfer to the destination, from the source if it is unknown.
    async fn payload_in_use(&self, transfer: &Transfer, known: &dyn KnownPayloads) -> Result<(), CopyError> {
        if known.add(transfer.payload_id(), transfer.size_bytes).map_err(CopyError::To)? {
            self.moved(transfer.size_bytes);
            return Ok(());
        }
        self.copy_payload(transfer).await?;
        add(&self.counts.payloads, 1);
        Ok(())
    }
}

impl CopyCounts {
    fn in_use(&self, findings: u64) -> CopiedInUse {
        let copied = self.copied();
        let lost = self.lost.load(Ordering::Relaxed);
        CopiedInUse { payloads_copied: copied.payloads, bytes_copied: copied.bytes_sent, lost, findings }
    }
}

/// Writes an object that the copy lacks.
async fn write(to: &dyn Store, key: StorageKey, value: Bytes) -> Result<(), CopyError> {
    let commit = Commit::of(Change { key, condition: Condition::Absent, value });
    to.commit(commit).await.map(drop).map_err(CopyError::To)
}
