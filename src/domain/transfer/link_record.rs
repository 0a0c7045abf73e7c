//! Terms, state and counts of one link, in the form that a transfer's own link and further links share.

use serde::{Deserialize, Deserializer, Serialize};

use super::{GrantObjects, GrantRecord, LimitHistory, LinkState};
use crate::domain::crypto::digest::Sha256;
use crate::domain::timestamp::Timestamp;

/// Link of a transfer: its terms, state and counts. Members of the record of the transfer, or of the further link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Download limit; `None` means unlimited.
    pub max_downloads: Option<u32>,
    /// SHA-256 of the access proof required for downloads. `None` if no proof is required; never for a further link.
    #[serde(deserialize_with = "required")]
    pub access_sha256: Option<Sha256>,
    /// Whether the access proof depends on a passphrase, so that wrong proofs are limited.
    pub access_from_passphrase: bool,
    /// Stored state. That of an own link is its end, as far as the link ended before the transfer.
    pub state: LinkState,
    /// Grants of a link with a download limit.
    pub grants: Vec<GrantRecord>,
    /// Number of downloads whose grants are not in `grants`.
    ///
    /// Lags while the link is unlimited, since counts are added in batches.
    pub downloads: u64,
    /// Marks of the latest writes to `downloads`, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub count_marks: Vec<u32>,
    /// Earlier changes of the limit.
    #[serde(default, skip_serializing_if = "LimitHistory::is_empty")]
    pub limit_history: LimitHistory,
    /// Time of the last counted download; lags while the link is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_download_at: Option<Timestamp>,
}

/// Form of a [`LinkRecord`] among the members of a transfer, which has a `state` of its own.
#[derive(Serialize, Deserialize)]
#[serde(remote = "LinkRecord")]
pub(super) struct OwnLinkForm {
    expires_at: Timestamp,
    max_downloads: Option<u32>,
    access_sha256: Option<Sha256>,
    // Absent in the first stores of layout 1, which limited all wrong proofs.
    #[serde(default = "limited")]
    access_from_passphrase: bool,
    #[serde(rename = "own_link", default, skip_serializing_if = "LinkState::is_open")]
    state: LinkState,
    grants: Vec<GrantRecord>,
    downloads: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    count_marks: Vec<u32>,
    #[serde(default, skip_serializing_if = "LimitHistory::is_empty")]
    limit_history: LimitHistory,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_download_at: Option<Timestamp>,
}

/// Change of a link by its sender; `None` leaves a value as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkChange {
    /// New expiry time.
    pub expires_at: Option<Timestamp>,
    /// New download limit; `Some(None)` means unlimited.
    #[allow(clippy::option_option, reason = "unlimited is a value, apart from no change")]
    pub max_downloads: Option<Option<u32>>,
}

impl LinkRecord {
    /// Creates an open link without downloads.
    #[must_use]
    pub const fn new(
        expires_at: Timestamp,
        max_downloads: Option<u32>,
        access_sha256: Option<Sha256>,
        access_from_passphrase: bool,
    ) -> Self {
        Self {
            expires_at,
            max_downloads,
            access_sha256,
            access_from_passphrase,
            state: LinkState::Open,
            grants: Vec::new(),
            downloads: 0,
            count_marks: Vec::new(),
            limit_history: LimitHistory { ungathered: false, gathered: 0, settled: 0 },
            last_download_at: None,
        }
    }

    /// Returns the state at `now`: the stored state, or expired if the expiry time has passed since.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> LinkState {
        match self.state {
            LinkState::Open if self.expires_at <= now => LinkState::Expired { at: self.expires_at },
            state => state,
        }
    }

    /// Applies expiry to the stored state; returns whether the link has expired.
    pub fn apply_expiry(&mut self, now: Timestamp) -> bool {
        let state = self.state_at(now);
        let changed = state != self.state;
        self.state = state;
        changed
    }

    /// Returns the number of downloads counted so far.
    #[must_use]
    pub fn download_count(&self) -> u64 {
        self.downloads + self.grants.len() as u64
    }

    /// Returns the number of downloads left; `None` without a download limit.
    #[must_use]
    pub fn downloads_remaining(&self) -> Option<u32> {
        let used = u32::try_from(self.download_count()).unwrap_or(u32::MAX);
        self.max_downloads.map(|limit| limit.saturating_sub(used))
    }

    /// Finds a grant in the record.
    #[must_use]
    pub fn find_grant(&self, sha256: &Sha256) -> Option<GrantRecord> {
        self.grants.iter().find(|grant| grant.sha256 == *sha256).copied()
    }

    /// Returns the time at which the last grant in the record expires.
    #[must_use]
    pub fn last_grant_expires_at(&self) -> Option<Timestamp> {
        self.grants.iter().map(|grant| grant.expires_at).max()
    }

    /// Returns whether the record decides which grants are good: the link has a limit and all its grants.
    #[must_use]
    pub fn counts_itself(&self) -> bool {
        self.max_downloads.is_some() && !self.limit_history.ungathered
    }

    /// Returns whether the link has grants that are objects of their own, or had some.
    #[must_use]
    pub fn has_grant_objects(&self) -> bool {
        self.max_downloads.is_none() || !self.limit_history.is_empty()
    }

    /// Returns until when a link keeps the payload: its expiry, or that of its last grant.
    ///
    /// `None` if it does not.
    #[must_use]
    pub fn needed_until(&self, state: LinkState, now: Timestamp) -> Option<Timestamp> {
        let until = match state {
            LinkState::Open => Some(self.expires_at),
            LinkState::Exhausted { .. } => self.last_grant_expires_at().map(|until| until.min(self.expires_at)),
            LinkState::Expired { .. } | LinkState::Closed { .. } => None,
        };
        until.filter(|until| *until > now)
    }

    /// Adds a counted download. Returns whether the link has ended.
    pub(super) fn count_download(&mut self, grant: GrantRecord, now: Timestamp) -> bool {
        self.push(grant);
        self.end_if_full(now)
    }

    /// Changes expiry time and download limit. Returns whether the link has ended.
    pub(super) fn update(&mut self, change: LinkChange, now: Timestamp) -> bool {
        self.expires_at = change.expires_at.unwrap_or(self.expires_at);
        if let Some(limit) = change.max_downloads {
            self.set_limit(limit);
        }
        self.end_if_full(now)
    }

    /// Moves the grants of separate objects into the record, after the link got a limit. Returns whether it has ended.
    pub(super) fn gather(&mut self, objects: GrantObjects, now: Timestamp) -> bool {
        self.gather_grants(objects, now);
        self.end_if_full(now)
    }

    /// Closes the link. Returns `false` if the record has its end already.
    ///
    /// A link that has expired by the clock alone is closed too: the clock of another server may be behind.
    pub fn close(&mut self, now: Timestamp) -> bool {
        let is_open = self.state.is_open();
        if is_open {
            self.state = LinkState::Closed { at: now };
        }
        is_open
    }

    /// Ends an open link whose download limit is reached; returns whether it did.
    fn end_if_full(&mut self, now: Timestamp) -> bool {
        let is_full = self.state.is_open()
            && self.counts_itself()
            && self.max_downloads.is_some_and(|limit| self.download_count() >= u64::from(limit));
        if is_full {
            self.state = LinkState::Exhausted { at: now };
        }
        is_full
    }
}

/// Reads the digest of a proof that a further link always has.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Sha256>, D::Error> {
    Sha256::deserialize(deserializer).map(Some)
}

/// Returns the value of `access_from_passphrase` for a record without it.
const fn limited() -> bool {
    true
}
