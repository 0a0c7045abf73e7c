//! Removal of a transfer's records of reads after their retention.
//!
//! The keys of these records begin with the time, so a visit lists only records that are due, and at most one page more.

use super::Transfers;
use super::sweep::{REMOVALS_PER_COMMIT, RETRY_AFTER};
use crate::domain::audit::{RecordClass, RecordKind, removal_entry};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::store::{Commit, StorageKey};
use crate::domain::timestamp::Timestamp;

/// Number of commits that one visit makes per kind of record; the next sweep continues.
///
/// The records of a transfer that a day's budget allows take several visits, between which other transfers are
/// processed.
const COMMITS_PER_VISIT: usize = 4;

/// Records of one kind that remain after a visit.
enum Remaining {
    /// None is due; the oldest has this time, if there is one.
    Later(Option<Timestamp>),
    /// More are due.
    Due,
}

impl Transfers {
    /// Removes the due records of reads of a transfer, and replaces `entry` by the next entry.
    pub(super) async fn remove_due_reads(&self, id: TransferId, entry: StorageKey) -> Result<(), Error> {
        let retain = self.settings().retention.reads();
        let end = self.now().minus(retain);
        let (mut oldest, mut is_done) = (None::<Timestamp>, true);
        for kind in RecordKind::ALL {
            match self.remove_reads_until(id, kind, end).await? {
                Remaining::Later(at) => oldest = oldest.into_iter().chain(at).min(),
                Remaining::Due => is_done = false,
            }
        }
        let next = if is_done {
            oldest.map(|at| removal_entry(id, at, retain))
        } else {
            Some(StorageKey::read_removal_entry(self.now().plus(RETRY_AFTER), id))
        };
        self.reschedule(entry, next).await
    }

    /// Removes records of reads of one kind up to the time `end`, in a limited number of commits.
    async fn remove_reads_until(&self, id: TransferId, kind: RecordKind, end: Timestamp) -> Result<Remaining, Error> {
        let prefix = StorageKey::transfer_records(id, RecordClass::Read, kind);
        for _ in 0..COMMITS_PER_VISIT {
            let page = self.store().keys(&prefix, None, REMOVALS_PER_COMMIT).await?;
            let is_last = page.len() < REMOVALS_PER_COMMIT;
            let time = |key: &StorageKey| key.read_record().map(|(_, at)| at);
            let later = page.iter().filter_map(time).find(|at| *at > end);
            let removals: Vec<_> = page.into_iter().filter(|key| time(key).is_some_and(|at| at <= end)).collect();
            let is_empty = removals.is_empty();
            if !is_empty {
                self.store().commit(Commit { removals, ..Commit::with_reserve() }).await?;
            }
            if is_empty || is_last || later.is_some() {
                return Ok(Remaining::Later(later));
            }
        }
        Ok(Remaining::Due)
    }
}
