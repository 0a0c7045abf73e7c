//! Counts of downloads under a link, and changes of its download limit.
//!
//! A link with a limit has its grants in its own record, an unlimited one has them as separate objects. A link that gets
//! a limit therefore first *gathers* the grants of its objects into its record. Until then it grants nothing.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::GrantRecord;
use crate::domain::crypto::digest::Sha256;
use crate::domain::timestamp::Timestamp;

/// Maximum number of kept marks.
///
/// A retry recognises that its first attempt took effect if fewer other writes came in between. After more, the downloads
/// are counted twice.
const MAX_COUNT_MARKS: usize = 16;

/// Maximum number of grant objects that are gathered: more downloads than the largest limit.
pub const MAX_GATHERED: usize = crate::domain::limits::MAX_DOWNLOADS as usize;

/// Earlier changes of a link's download limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitHistory {
    /// Whether the link got a limit, and the grants from before are still separate objects.
    pub ungathered: bool,
    /// Number of grant objects when grants were last gathered.
    pub gathered: u64,
    /// Number of downloads outside the record's grants when the link last became unlimited.
    pub settled: u64,
}

impl LimitHistory {
    /// Returns whether the limit never changed between a number and unlimited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Grant objects of a link that got a limit.
#[derive(Clone, Debug, Default)]
pub struct GrantObjects {
    /// Number of objects, at most one more than [`MAX_GATHERED`].
    pub count: usize,
    /// Grants of the objects; empty if there are more than [`MAX_GATHERED`].
    pub grants: Vec<GrantRecord>,
}

/// Downloads of one link, as its record counts them.
pub(super) struct LinkDownloads<'a> {
    pub(super) limit: &'a mut Option<u32>,
    pub(super) grants: &'a mut Vec<GrantRecord>,
    /// Downloads whose grants are not in the record.
    pub(super) others: &'a mut u64,
    pub(super) marks: &'a mut Vec<u32>,
    pub(super) history: &'a mut LimitHistory,
    pub(super) last_at: &'a mut Option<Timestamp>,
}

impl LinkDownloads<'_> {
    fn count(&self) -> u64 {
        *self.others + self.grants.len() as u64
    }

    /// Returns whether the download limit is reached; `false` while the count is not known.
    pub(super) fn is_full(&self) -> bool {
        !self.history.ungathered && self.limit.is_some_and(|limit| self.count() >= u64::from(limit))
    }

    /// Adds a counted download.
    pub(super) fn push(&mut self, grant: GrantRecord) {
        self.grants.push(grant);
        *self.last_at = (*self.last_at).max(Some(grant.granted_at));
    }

    /// Adds `downloads` of an unlimited link to the count, unless a write with this `mark` added them.
    ///
    /// Returns whether the record was changed. A link with a limit counts the grants of its objects when it gathers them.
    pub(super) fn add(&mut self, downloads: u64, mark: u32, now: Timestamp) -> bool {
        if !self.take_mark(mark) {
            return false;
        }
        if self.limit.is_none() {
            *self.others += downloads;
        }
        *self.last_at = (*self.last_at).max(Some(now));
        true
    }

    /// Adds the mark of a write; returns `false` if it is one of the latest marks.
    pub(super) fn take_mark(&mut self, mark: u32) -> bool {
        let is_new = !self.marks.contains(&mark);
        if is_new {
            self.marks.push(mark);
            self.marks.drain(..self.marks.len().saturating_sub(MAX_COUNT_MARKS));
        }
        is_new
    }

    /// Sets the download limit; `None` means unlimited.
    pub(super) fn set_limit(&mut self, limit: Option<u32>) {
        match (*self.limit, limit) {
            (None, Some(_)) => self.history.ungathered = true,
            (Some(_), None) => {
                self.history.ungathered = false;
                self.history.settled = *self.others;
            }
            _ => {}
        }
        *self.limit = limit;
    }

    /// Moves the grants of a link's objects into its record.
    ///
    /// The number of objects is exact, unlike the count of an unlimited link, which lags. More objects than the largest
    /// limit end the link, and their grants with it.
    pub(super) fn gather(&mut self, objects: GrantObjects, now: Timestamp) {
        let known: HashSet<Sha256> = self.grants.iter().map(|grant| grant.sha256).collect();
        let new_objects = (objects.count as u64).saturating_sub(self.history.gathered);
        let others = (*self.others).max(self.history.settled + new_objects);
        let total = others + self.grants.len() as u64;
        let is_live = |grant: &GrantRecord| grant.expires_at > now;
        self.grants.extend(objects.grants.into_iter().filter(|grant| !known.contains(&grant.sha256)));
        self.grants.retain(is_live);
        *self.others = total.saturating_sub(self.grants.len() as u64);
        *self.history = LimitHistory { ungathered: false, gathered: objects.count as u64, settled: 0 };
    }
}
