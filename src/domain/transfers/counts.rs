//! Buffered download counts of unlimited transfers.
//!
//! Counts are written once per second, so that downloads of a popular transfer don't queue for writing its record.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use super::Transfers;
use crate::domain::crypto::random;
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::notification::NotificationKind;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, Swap};

/// Downloads per transfer that are not yet added to the transfer's count.
#[derive(Debug, Default)]
pub(super) struct DownloadCounts(Mutex<BTreeMap<TransferId, Pending>>);

/// Downloads of one transfer since its count was last written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NewDownloads {
    /// Downloads whose grants are stored, and which the daily counters contain.
    pub(super) stored: u64,
    /// Downloads whose grants are in memory only.
    pub(super) unstored: u64,
}

/// Downloads of one transfer.
#[derive(Debug, Default)]
struct Pending {
    /// Failed writes, which may have taken effect.
    attempted: Vec<Batch>,
    /// Downloads since the last write.
    new: NewDownloads,
}

/// Downloads added to a count in one write. The mark shows whether a failed write took effect.
#[derive(Clone, Copy, Debug)]
struct Batch {
    mark: u32,
    downloads: NewDownloads,
    /// Whether an earlier write may have taken effect.
    is_attempted: bool,
}

impl NewDownloads {
    const fn sum(self) -> u64 {
        self.stored + self.unstored
    }
}

impl Pending {
    fn into_batches(self) -> impl Iterator<Item = Batch> {
        let new = Batch { mark: u32::from_be_bytes(random::bytes()), downloads: self.new, is_attempted: false };
        self.attempted.into_iter().chain(Some(new).filter(|new| new.downloads.sum() > 0))
    }
}

impl DownloadCounts {
    pub(super) fn add(&self, id: TransferId, downloads: NewDownloads) {
        let mut counts = self.lock();
        let new = &mut counts.entry(id).or_default().new;
        new.stored += downloads.stored;
        new.unstored += downloads.unstored;
    }

    fn retry(&self, id: TransferId, batch: Batch) {
        self.lock().entry(id).or_default().attempted.push(Batch { is_attempted: true, ..batch });
    }

    fn take(&self) -> BTreeMap<TransferId, Pending> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TransferId, Pending>> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

impl Transfers {
    /// Adds the downloads since the last call to the counts of their transfers. Failed writes are retried next time.
    pub async fn flush_counts(&self) {
        let pending = self.0.counts.take().into_iter();
        for (id, batch) in pending.flat_map(|(id, pending)| pending.into_batches().map(move |batch| (id, batch))) {
            let Batch { mark, downloads, is_attempted } = batch;
            let added = self.change(id, |mut transfer| {
                let is_first = transfer.download_count() == 0;
                if !transfer.add_downloads(downloads.sum(), mark) {
                    return Ok(Swap::Keep(()));
                }
                let counter_delta = (downloads.unstored > 0)
                    .then(|| CounterDelta { downloads: downloads.unstored, ..CounterDelta::on(self.now().day()) });
                let mut with = Commit { counter_delta, ..Commit::default() };
                if is_first {
                    transfer.notify(&mut with, &self.0.ids, self.now(), &[NotificationKind::TransferFirstDownload]);
                }
                Ok(Swap::write(transfer, with, ()))
            });
            match added.await {
                Ok(()) | Err(Error::TransferNotFound) => {}
                // A full store has refused the write.
                Err(Error::StorageFull) if !is_attempted => self.0.counts.add(id, downloads),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot update a download count, will retry");
                    self.0.counts.retry(id, batch);
                }
            }
        }
    }
}
