//! Counts of downloads under a link, and changes of its download limit.
//!
//! A link with a limit has its grants in its own record, an unlimited one has them as separate objects. A link that gets
//! a limit therefore first *gathers* the grants of its objects into its record. Until then it grants nothing.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{GrantRecord, LinkRecord};
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

impl LinkRecord {
    /// Adds a counted download.
    pub(super) fn push(&mut self, grant: GrantRecord) {
        self.grants.push(grant);
        self.last_download_at = self.last_download_at.max(Some(grant.granted_at));
    }

    /// Adds `downloads` of an unlimited link to the count, unless a write with this `mark` added them.
    ///
    /// Returns whether the record was changed. A link with a limit counts the grants of its objects when it gathers them.
    pub fn add_downloads(&mut self, downloads: u64, mark: u32, now: Timestamp) -> bool {
        if !self.take_mark(mark) {
            return false;
        }
        if self.max_downloads.is_none() {
            self.downloads += downloads;
        }
        self.last_download_at = self.last_download_at.max(Some(now));
        true
    }

    /// Adds the mark of a write; returns `false` if it is one of the latest marks.
    pub(super) fn take_mark(&mut self, mark: u32) -> bool {
        let is_new = !self.count_marks.contains(&mark);
        if is_new {
            self.count_marks.push(mark);
            self.count_marks.drain(..self.count_marks.len().saturating_sub(MAX_COUNT_MARKS));
        }
        is_new
    }

    /// Sets the download limit; `None` means unlimited.
    pub(super) fn set_limit(&mut self, limit: Option<u32>) {
        match (self.max_downloads, limit) {
            (None, Some(_)) => self.limit_history.ungathered = true,
            (Some(_), None) => {
                self.limit_history.ungathered = false;
                self.limit_history.settled = self.downloads;
            }
            _ => {}
        }
        self.max_downloads = limit;
    }

    /// Moves the grants of a link's objects into its record.
    ///
    /// The number of objects is exact, unlike the count of an unlimited link, which lags. More objects than the largest
    /// limit end the link, and their grants with it.
    pub(super) fn gather_grants(&mut self, objects: GrantObjects, now: Timestamp) {
        let known: HashSet<Sha256> = self.grants.iter().map(|grant| grant.sha256).collect();
        let new_objects = (objects.count as u64).saturating_sub(self.limit_history.gathered);
        let others = self.downloads.max(self.limit_history.settled + new_objects);
        let total = others + self.grants.len() as u64;
        let is_live = |grant: &GrantRecord| grant.expires_at > now;
        self.grants.extend(objects.grants.into_iter().filter(|grant| !known.contains(&grant.sha256)));
        self.grants.retain(is_live);
        self.downloads = total.saturating_sub(self.grants.len() as u64);
        self.limit_history = LimitHistory { ungathered: false, gathered: objects.count as u64, settled: 0 };
    }
}
