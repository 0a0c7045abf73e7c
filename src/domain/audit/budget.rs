//! How many records of reads and refusals a transfer may get in a day.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;

use super::Skipped;
use crate::domain::id::TransferId;
use crate::domain::timestamp::{Day, Timestamp};

/// Plain reads recorded of one transfer, in one process and day.
const READS: u32 = 10_000;
/// Refusals recorded of one transfer, in one process and day.
const REFUSALS: u32 = 1_000;
/// Requests of each kind recorded that belong to no transfer, in one process and day.
const STRAYS: u32 = 10_000;
/// Transfers whose records are counted. Of further ones, those that were asked for longest ago are forgotten and start
/// anew: whoever brings that about has other transfers get more records than a forgotten one has left out.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(32_768).unwrap();
/// What was left out is told at most this often, in milliseconds.
const TELL_EVERY_MS: u64 = 60_000;

/// What a record is about, as far as budgets care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spends {
    /// A plain read.
    Read,
    /// A refused or failed request.
    Refusal,
}

/// A request that belongs to no transfer. Each kind has a budget of its own, so that none hides another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    /// It named a transfer that does not exist, or none.
    Unknown,
    /// It was refused for the number of requests before anything was looked at.
    Limited,
    /// It asked the admin service for something, and was none of an admin.
    NoAdmin,
    /// It showed a sender token that is none.
    WrongToken,
}

/// The budgets of one day. Without them whoever knows an id could fill the store, or blind the trail before acting.
#[derive(Debug)]
pub(super) struct Budgets {
    day: Option<Day>,
    strays: [u32; 4],
    used: LruCache<TransferId, Used>,
    left_out: HashMap<TransferId, LeftOut>,
}

#[derive(Debug, Default)]
struct Used {
    reads: u32,
    refusals: u32,
}

/// What is still to be told, and then, until more of it may be told, when that was.
#[derive(Debug, Default)]
struct LeftOut {
    skipped: Skipped,
    told_at: Option<Timestamp>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { day: None, strays: [0; 4], used: LruCache::new(REMEMBERED), left_out: HashMap::new() }
    }
}

impl Budgets {
    /// Takes one record out of a transfer's budget; `false` where that is used up.
    pub(super) fn take(&mut self, id: TransferId, spends: Spends, now: Timestamp) -> bool {
        self.start_day(now);
        let budget = self.used.get_or_insert_mut(id, Used::default);
        let (used, limit) = match spends {
            Spends::Read => (&mut budget.reads, READS),
            Spends::Refusal => (&mut budget.refusals, REFUSALS),
        };
        if *used < limit {
            *used += 1;
            return true;
        }
        self.skip(id, spends);
        false
    }

    /// Notes a record that was left out: for want of budget, or of room in the queue.
    pub(super) fn skip(&mut self, id: TransferId, spends: Spends) {
        let skipped = &mut self.left_out.entry(id).or_default().skipped;
        match spends {
            Spends::Read => skipped.reads += 1,
            Spends::Refusal => skipped.refusals += 1,
        }
    }

    /// Takes one record of a request that belongs to no transfer.
    pub(super) fn take_stray(&mut self, stray: Stray, now: Timestamp) -> bool {
        self.start_day(now);
        let used = &mut self.strays[stray as usize];
        let left = *used < STRAYS;
        *used += u32::from(left);
        left
    }

    /// Notes an event of a client that was left out.
    pub(super) fn skip_event(&mut self, id: TransferId) {
        self.left_out.entry(id).or_default().skipped.events += 1;
    }

    /// What was left out and is to be told now; `all` for the last time, at shutdown.
    pub(super) fn take_untold(&mut self, now: Timestamp, all: bool) -> Vec<(TransferId, Skipped)> {
        let mut untold = Vec::new();
        self.left_out.retain(|id, left_out| {
            let told_at = left_out.told_at.map(Timestamp::as_millis);
            if !all && told_at.is_some_and(|told| now.as_millis().abs_diff(told) < TELL_EVERY_MS) {
                return true;
            }
            if left_out.skipped.is_empty() {
                return false;
            }
            left_out.told_at = Some(now);
            untold.push((*id, std::mem::take(&mut left_out.skipped)));
            true
        });
        untold
    }

    fn start_day(&mut self, now: Timestamp) {
        let today = now.day();
        if self.day.as_ref() != Some(&today) {
            self.used.clear();
            self.strays = [0; 4];
            self.day = Some(today);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reads_and_refusals_have_budgets_of_their_own() {
        let (mut budgets, id, now) = (Budgets::default(), TransferId::random(), Timestamp::from_millis(0));
        let taken = (0..READS + 5).filter(|_| budgets.take(id, Spends::Read, now)).count();
        assert_eq!(taken, READS as usize);
        assert!(budgets.take(id, Spends::Refusal, now), "reads used up the budget of refusals");
        assert!(budgets.take(TransferId::random(), Spends::Read, now), "one transfer used up another's budget");
        assert_eq!(budgets.take_untold(now, false), [(id, Skipped { reads: 5, ..Skipped::default() })]);
        assert!(!budgets.take(id, Spends::Read, now));
        assert_eq!(budgets.take_untold(now.plus(Duration::from_secs(59)), false), []);
        assert_eq!(budgets.take_untold(now.plus(Duration::from_mins(1)), false).len(), 1);
        assert!(budgets.take(id, Spends::Read, now.plus(Duration::from_hours(24))), "a new day brings no budget");
    }

    #[test]
    fn one_kind_of_stray_hides_no_other() {
        let (mut budgets, now) = (Budgets::default(), Timestamp::from_millis(0));
        let taken = (0..STRAYS + 5).filter(|_| budgets.take_stray(Stray::Limited, now)).count();
        assert_eq!(taken, STRAYS as usize);
        assert!(budgets.take_stray(Stray::Unknown, now) && budgets.take_stray(Stray::NoAdmin, now));
        assert!(budgets.take_stray(Stray::Limited, now.plus(Duration::from_hours(24))));
    }

    #[test]
    fn many_transfers_take_bounded_memory_and_what_was_left_out_is_told_all_the_same() {
        let (mut budgets, id, now) = (Budgets::default(), TransferId::random(), Timestamp::from_millis(0));
        for _ in 0..=REFUSALS {
            budgets.take(id, Spends::Refusal, now);
        }
        for _ in 0..REMEMBERED.get() + 5 {
            budgets.take(TransferId::random(), Spends::Read, now);
        }
        assert_eq!(budgets.used.len(), REMEMBERED.get());
        assert!(budgets.take(id, Spends::Refusal, now), "what was asked for longest ago is remembered");
        assert_eq!(budgets.take_untold(now, false), [(id, Skipped { refusals: 1, ..Skipped::default() })]);
        assert_eq!(budgets.left_out.len(), 1);
        assert_eq!(budgets.take_untold(now.plus(Duration::from_mins(1)), false), []);
        assert!(budgets.left_out.is_empty(), "what was told is kept for ever");
    }
}
