//! Buffered download counts of unlimited links.
//!
//! Counts are written once per second, so that downloads of a popular link don't queue for writing its record. The count
//! of all further links in the record of their transfer is written so, too: it can miss downloads right before a crash.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use super::Transfers;
use crate::domain::crypto::random;
use crate::domain::error::{Error, chain};
use crate::domain::id::{LinkId, TransferId};
use crate::domain::notification::NotificationKind;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, StorageKey, Swap, read};
use crate::domain::transfer::Transfer;

/// Downloads per link that are not yet added to its count.
#[derive(Debug, Default)]
pub(super) struct DownloadCounts(Mutex<BTreeMap<CountedLink, Pending>>);

/// Count that downloads are added to, with its transfer.
pub(super) type CountedLink = (TransferId, CountTarget);

/// Count that downloads are added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CountTarget {
    /// Count of the unlimited own link.
    OwnLink,
    /// Count of an unlimited further link.
    FurtherLink(LinkId),
    /// Count of all further links together, in the record of the transfer.
    AllLinks,
}

/// Downloads of one link since its count was last written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NewDownloads {
    /// Downloads whose grants are stored, and which the daily counters contain.
    pub(super) stored: u64,
    /// Downloads whose grants are in memory only.
    pub(super) unstored: u64,
}

/// Downloads of one link.
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
    pub(super) fn add(&self, link: CountedLink, downloads: NewDownloads) {
        let mut counts = self.lock();
        let new = &mut counts.entry(link).or_default().new;
        new.stored += downloads.stored;
        new.unstored += downloads.unstored;
    }

    fn retry(&self, link: CountedLink, batch: Batch) {
        self.lock().entry(link).or_default().attempted.push(Batch { is_attempted: true, ..batch });
    }

    fn take(&self) -> BTreeMap<CountedLink, Pending> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CountedLink, Pending>> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

impl Transfers {
    /// Adds the downloads since the last call to the counts of their links. Failed writes are retried next time.
    pub async fn flush_counts(&self) {
        let pending = self.0.counts.take().into_iter();
        for (link, batch) in pending.flat_map(|(link, pending)| pending.into_batches().map(move |batch| (link, batch)))
        {
            let Batch { downloads, is_attempted, .. } = batch;
            match self.add_to_count(link, batch).await {
                Ok(()) | Err(Error::TransferNotFound | Error::LinkNotFound) => {}
                // A full store has refused the write.
                Err(Error::StorageFull) if !is_attempted => self.0.counts.add(link, downloads),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot update a download count, will retry");
                    self.0.counts.retry(link, batch);
                }
            }
        }
    }

    async fn add_to_count(&self, (transfer_id, target): CountedLink, batch: Batch) -> Result<(), Error> {
        let (Batch { mark, downloads, .. }, now) = (batch, self.now());
        let commit = || {
            let unstored = CounterDelta { downloads: downloads.unstored, ..CounterDelta::on(now.day()) };
            Commit { counter_delta: (downloads.unstored > 0).then_some(unstored), ..Commit::default() }
        };
        let link_id = match target {
            CountTarget::OwnLink => {
                let add = |mut transfer: Transfer| {
                    let is_first = transfer.own_link.download_count() == 0;
                    if !transfer.own_link.add_downloads(downloads.sum(), mark, now) {
                        return Ok(Swap::Keep(()));
                    }
                    let mut with = commit();
                    if is_first {
                        transfer.notify(&mut with, &self.0.ids, now, &[NotificationKind::TransferFirstDownload]);
                    }
                    Ok(Swap::write(transfer, with, ()))
                };
                return self.change(transfer_id, add).await;
            }
            CountTarget::AllLinks => {
                let add = |mut transfer: Transfer| {
                    let is_new = transfer.add_link_downloads(downloads.sum(), mark);
                    Ok(if is_new { Swap::write(transfer, Commit::default(), ()) } else { Swap::Keep(()) })
                };
                return self.change(transfer_id, add).await;
            }
            CountTarget::FurtherLink(id) => id,
        };
        let key = StorageKey::transfer(transfer_id);
        let transfer = read::<Transfer>(self.store(), &key).await?.ok_or(Error::TransferNotFound)?.value;
        self.change_link(link_id, |mut further| {
            let is_first = further.link.download_count() == 0;
            if !further.link.add_downloads(downloads.sum(), mark, now) {
                return Ok(Swap::Keep(()));
            }
            let mut with = commit();
            if is_first {
                let kinds = [NotificationKind::TransferFirstDownload];
                transfer.clone().notify_of_link(&mut with, &self.0.ids, now, &kinds, &further);
            }
            Ok(Swap::write(further, with, ()))
        })
        .await
    }
}
