//! Buffered download counts of unlimited transfers.
//!
//! Counts are written once per second, so that downloads of a popular transfer don't queue for writing its record.

use std::collections::HashMap;
use std::sync::Mutex;

use super::Transfers;
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, Swap};

/// Downloads per transfer that are not yet added to the transfer's count.
#[derive(Debug, Default)]
pub(super) struct DownloadCounts(Mutex<HashMap<TransferId, NewDownloads>>);

/// Downloads of one transfer since its count was last written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NewDownloads {
    /// Downloads whose grants are stored, and which the daily counters contain.
    pub(super) stored: u64,
    /// Downloads whose grants are in memory only.
    pub(super) unstored: u64,
}

impl DownloadCounts {
    pub(super) fn add(&self, id: TransferId, downloads: NewDownloads) {
        let mut counts = self.0.lock().expect("the lock is never poisoned");
        let count = counts.entry(id).or_default();
        count.stored += downloads.stored;
        count.unstored += downloads.unstored;
    }

    fn take(&self) -> HashMap<TransferId, NewDownloads> {
        std::mem::take(&mut *self.0.lock().expect("the lock is never poisoned"))
    }
}

impl Transfers {
    /// Adds the downloads since the last call to the counts of their transfers. Failed writes are retried next time.
    pub async fn flush_counts(&self) {
        for (id, downloads) in self.0.counts.take() {
            let counted = CounterDelta { downloads: downloads.unstored, ..CounterDelta::on(self.now().day()) };
            let added = self.change(id, |mut transfer| {
                transfer.downloads += downloads.stored + downloads.unstored;
                let counter_delta = (downloads.unstored > 0).then(|| counted.clone());
                Ok(Swap::write(transfer, Commit { counter_delta, ..Commit::default() }, ()))
            });
            match added.await {
                Ok(()) | Err(Error::TransferNotFound) => {}
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot update a download count, will retry");
                    self.0.counts.add(id, downloads);
                }
            }
        }
    }
}
