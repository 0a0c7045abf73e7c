//! Downloads of unlimited transfers, added up once a second: a popular transfer must not queue on one record.

use std::collections::HashMap;
use std::sync::Mutex;

use super::Transfers;
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::store::{Commit, Swap};

/// Counted, durably, as grants, but not yet added to their transfer's number.
#[derive(Debug, Default)]
pub(super) struct DownloadCounts(Mutex<HashMap<TransferId, u64>>);

impl DownloadCounts {
    pub(super) fn add(&self, id: TransferId, downloads: u64) {
        *self.0.lock().expect("nothing panics while it holds this lock").entry(id).or_default() += downloads;
    }

    fn take(&self) -> HashMap<TransferId, u64> {
        std::mem::take(&mut *self.0.lock().expect("nothing panics while it holds this lock"))
    }
}

impl Transfers {
    /// Adds the downloads since the last call to their transfers' numbers.
    pub async fn flush_counts(&self) {
        for (id, downloads) in self.0.counts.take() {
            let added = self.change(id, |mut transfer| {
                transfer.downloads += downloads;
                Ok(Swap::write(transfer, Commit::default(), ()))
            });
            match added.await {
                Ok(()) | Err(Error::TransferNotFound) => {}
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "downloads will be added up later");
                    self.0.counts.add(id, downloads);
                }
            }
        }
    }
}
