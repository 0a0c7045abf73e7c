//! Buffered download counts of unlimited transfers.
//!
//! Counts are written once per second, so that downloads of a popular transfer don't queue for writing its record.

use std::collections::HashMap;
use std::sync::Mutex;

use super::Transfers;
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::store::{Commit, Swap};

/// Number of downloads per transfer, persisted as grants but not yet added to the transfer's count.
#[derive(Debug, Default)]
pub(super) struct DownloadCounts(Mutex<HashMap<TransferId, u64>>);

impl DownloadCounts {
    pub(super) fn add(&self, id: TransferId, downloads: u64) {
        *self.0.lock().expect("the lock is never poisoned").entry(id).or_default() += downloads;
    }

    fn take(&self) -> HashMap<TransferId, u64> {
        std::mem::take(&mut *self.0.lock().expect("the lock is never poisoned"))
    }
}

impl Transfers {
    /// Adds the downloads since the last call to the counts of their transfers. Failed writes are retried next time.
    pub async fn flush_counts(&self) {
        for (id, downloads) in self.0.counts.take() {
            let added = self.change(id, |mut transfer| {
                transfer.downloads += downloads;
                Ok(Swap::write(transfer, Commit::default(), ()))
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
