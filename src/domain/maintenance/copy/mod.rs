//! Migration of a store: copies all records and payloads to another store.
//!
//! The first pass copies records and payloads missing from the destination; the second pass reads and compares both
//! stores. Until the second pass ends, the destination has an incomplete-copy marker in place of the store header, so
//! that no service opens a partial copy. An interrupted copy resumes: objects already identical are not written again.
//!
//! Records are copied byte for byte. The outbox and the states of targets stay behind: two stores would deliver the same
//! notifications. Payloads are copied if complete and still downloadable. The partial payload of a pending transfer is not
//! copied, because its stored form depends on the backend: the transfer stays pending, and the service tells the sender
//! to restart the upload at byte 0.

mod claim;
mod error;
mod in_use;
mod merged_listing;
mod payloads;
mod records;

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{TryStreamExt, stream};

pub use error::CopyError;
pub use in_use::{CopiedInUse, KnownPayloads, copy_in_use};

use self::claim::Claim;
use crate::domain::id::TransferId;
use crate::domain::stats::DayStats;
use crate::domain::store::{Prefix, StorageKey, Store, StoreError, StoreHeader, TransferIndexEntry};
use crate::domain::transfer::{State, Transfer};

/// Number of transfers copied concurrently. Each buffers up to two payload parts in memory.
const MAX_CONCURRENT_TRANSFERS: usize = 4;
/// Page size for listing the daily counters: larger than the number of retained days.
const STATS_PAGE: usize = 1_000;

/// Progress listener of a copy.
pub trait CopyObserver: Send + Sync {
    /// Called once with the estimated total size of all payloads, in encrypted bytes.
    fn begin(&self, total: u64);

    /// Called with the number of payload bytes processed so far, including bytes of an earlier run.
    fn transferred(&self, bytes: u64);

    /// Called when everything is copied and the comparison begins.
    fn compares(&self);
}

/// Statistics of a finished copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Number of records in the copy, including the store header.
    pub records: u64,
    /// Number of payloads in the copy.
    pub payloads: u64,
    /// Total encrypted size of the payloads, in bytes.
    pub bytes: u64,
    /// Payload bytes written by this run, as opposed to an earlier, interrupted run.
    pub bytes_sent: u64,
    /// Number of pending transfers; their uploads restart at byte 0.
    pub pending: u64,
}

/// Copies all records and payloads of the store `from`, named `of`, to the store `to`.
///
/// # Errors
/// [`CopyError`]. Everything copied before the error stays, and the same call resumes the copy.
pub async fn copy(from: &dyn Store, to: &dyn Store, of: &str, watch: &dyn CopyObserver) -> Result<Copied, CopyError> {
    let header = from.get(&StorageKey::header()).await.map_err(CopyError::From)?.ok_or(CopyError::NoStore)?.value;
    StoreHeader::parse(&header).map_err(CopyError::From)?;
    let claim = Claim::of(to, of).await?;
    to.check_guarantees(&StorageKey::header()).await.map_err(CopyError::To)?;
    let copying = Copying { from, to, watch, resumed: claim.resumed, counts: CopyCounts::default() };
    watch.begin(copying.bytes_expected().await?);
    copying.pass(Pass::Write).await?;
    watch.compares();
    copying.pass(Pass::Compare).await?;
    let now = from.get(&StorageKey::header()).await.map_err(CopyError::From)?;
    if now.is_none_or(|now| now.value != header) {
        return Err(CopyError::Differs { key: StorageKey::header() });
    }
    claim.release(to, header).await?;
    Ok(copying.counts.copied())
}

/// Pass over both stores.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Makes the destination identical to the source.
    Write,
    /// Checks that the destination is identical to the source.
    Compare,
}

struct Copying<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    watch: &'a dyn CopyObserver,
    /// Whether an earlier run may have copied records or payloads.
    resumed: bool,
    counts: CopyCounts,
}

#[derive(Default)]
struct CopyCounts {
    records: AtomicU64,
    payloads: AtomicU64,
    bytes: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_done: AtomicU64,
    pending: AtomicU64,
    lost: AtomicU64,
}

impl CopyCounts {
    fn copied(&self) -> Copied {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Copied {
            records: get(&self.records) + 1,
            payloads: get(&self.payloads),
            bytes: get(&self.bytes),
            bytes_sent: get(&self.bytes_sent),
            pending: get(&self.pending),
        }
    }
}

fn add(count: &AtomicU64, number: u64) -> u64 {
    count.fetch_add(number, Ordering::Relaxed) + number
}

impl Copying<'_> {
    /// Estimates the total payload size in encrypted bytes, from the stored counters.
    async fn bytes_expected(&self) -> Result<u64, CopyError> {
        let days = self.from.keys(&StorageKey::all_stats(), None, STATS_PAGE).await.map_err(CopyError::From)?;
        let Some(latest) = days.last() else { return Ok(0) };
        let stored = self.from.get(latest).await.map_err(CopyError::From)?;
        let stats = stored.and_then(|stored| DayStats::parse(latest.as_str(), &stored.value).ok());
        Ok(stats.and_then(|stats| stats.bytes_stored.try_into().ok()).unwrap_or(0))
    }

    /// Runs one pass over all records and payloads.
    ///
    /// Tokens, links and transfers come first: reading them can apply records left unwritten by a killed process.
    async fn pass(&self, pass: Pass) -> Result<(), CopyError> {
        if pass == Pass::Write && self.resumed {
            self.remove_unowned().await?;
        }
        self.records(&StorageKey::tokens(), pass).await?;
        self.records(&StorageKey::all_links(), pass).await?;
        let ids = stream::try_unfold(None, async |after| {
            let next = self.next_transfer(after).await?;
            Ok::<_, CopyError>(next.map(|id| (id, Some(id))))
        });
        Box::pin(ids.try_for_each_concurrent(MAX_CONCURRENT_TRANSFERS, |id| self.transfer(id, pass))).await?;
        self.other_records(pass).await
    }

    /// Copies or compares the records of no single token, link or transfer.
    async fn other_records(&self, pass: Pass) -> Result<(), CopyError> {
        for prefix in [
            StorageKey::all_idempotency_records(),
            StorageKey::all_schedule_entries(),
            StorageKey::all_service_records(),
            StorageKey::all_notifications(),
            StorageKey::all_stats(),
        ]
        .into_iter()
        .chain(TransferIndexEntry::all())
        {
            self.records(&prefix, pass).await?;
        }
        Ok(())
    }

    /// Returns the next transfer id after `after` in either store; `None` at the end.
    async fn next_transfer(&self, after: Option<TransferId>) -> Result<Option<TransferId>, CopyError> {
        let from = next_transfer(self.from, after).await.map_err(CopyError::From)?;
        let to = next_transfer(self.to, after).await.map_err(CopyError::To)?;
        Ok(from.into_iter().chain(to).min())
    }

    /// Reads a transfer from the source; `None` if the transfer does not exist.
    async fn read_transfer(&self, id: TransferId) -> Result<Option<Transfer>, CopyError> {
        let key = StorageKey::transfer(id);
        let found = self.from.get(&key).await.map_err(CopyError::From)?;
        let parse = |stored: &[u8]| crate::domain::store::from_json::<Transfer>(key.as_str(), stored);
        found.map(|found| parse(&found.value)).transpose().map_err(CopyError::From)
    }

    /// Copies or compares one transfer.
    ///
    /// The transfer's state is written last: its presence proves that the records and the verified payload are copied.
    async fn transfer(&self, id: TransferId, pass: Pass) -> Result<(), CopyError> {
        let transfer = self.read_transfer(id).await?;
        if let Some(transfer) = &transfer {
            match pass {
                Pass::Write if transfer.is_downloadable() => self.copy_payload(transfer).await?,
                Pass::Compare if transfer.is_downloadable() => self.compare_payload(transfer).await?,
                Pass::Compare if transfer.state == State::Pending => drop(add(&self.counts.pending, 1)),
                _ => {}
            }
        }
        self.records(&StorageKey::all_of_transfer(id), pass).await?;
        self.record(StorageKey::transfer(id), pass).await
    }
}

/// Returns the next transfer id after `after` in one store; `None` at the end.
async fn next_transfer(store: &dyn Store, after: Option<TransferId>) -> Result<Option<TransferId>, StoreError> {
    let (all, mut after): (Prefix, _) = (StorageKey::all_transfers(), after.map(StorageKey::after_transfer));
    loop {
        let Some(key) = store.keys(&all, after.as_ref(), 1).await?.pop() else { return Ok(None) };
        match key.transfer_id() {
            Some(id) => return Ok(Some(id)),
            // The key contains no transfer id.
            None => after = Some(key),
        }
    }
}
