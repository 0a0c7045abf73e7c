//! A transfer's own link: its status, downloads and changes. The link is part of the transfer's record.
//!
//! Without further links, the transfer ends with its own link. With further links, the own link's end is recorded in
//! `own_link`, and the transfer ends with its last link.

use std::time::Duration;

use super::counting::{GrantObjects, LinkDownloads};
use super::{
    CountedDownload, DeletionCause, GrantRecord, LinkState, MIN_DOWNLOAD_RATE, MIN_GRANT_LIFETIME, PayloadState, State,
    Status, Transfer,
};
use crate::domain::audit::EventKind;
use crate::domain::crypto::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

impl Transfer {
    /// Returns the state of the own link at `now`, as far as it differs from the transfer's.
    #[must_use]
    pub fn own_link_at(&self, now: Timestamp) -> LinkState {
        match (self.own_link, self.state) {
            (LinkState::Open, State::Completed { .. }) if self.expires_at <= now => {
                LinkState::Expired { at: self.expires_at }
            }
            (state, _) => state,
        }
    }

    /// Returns the status of the own link at `now`.
    #[must_use]
    pub fn own_status_at(&self, now: Timestamp) -> Status {
        match self.state_at(now) {
            state if state.is_deletion() => Status::Deleted,
            state => self.own_link_at(now).status().unwrap_or_else(|| state.status()),
        }
    }

    /// Returns the number of downloads counted so far under the own link.
    #[must_use]
    pub fn download_count(&self) -> u64 {
        self.downloads + self.grants.len() as u64
    }

    /// Returns the number of downloads left under the own link; `None` without a download limit.
    #[must_use]
    pub fn downloads_remaining(&self) -> Option<u32> {
        let used = u32::try_from(self.download_count()).unwrap_or(u32::MAX);
        self.max_downloads.map(|limit| limit.saturating_sub(used))
    }

    /// Checks that the payload can be downloaded under the own link. `granted` says whether the client has a valid grant.
    ///
    /// # Errors
    /// [`Error::NotCompleted`], [`Error::TransferExhausted`], [`Error::TransferExpired`], [`Error::TransferDeleted`],
    /// [`Error::LinkClosed`].
    pub fn check_downloadable(&self, now: Timestamp, granted: bool) -> Result<(), Error> {
        // A sender may have set an expiry before that of the grant.
        let usable = granted && self.payload == PayloadState::Stored && now < self.expires_at;
        match (self.state_at(now), self.own_link_at(now)) {
            (state, _) if state.is_deletion() => Err(Error::TransferDeleted),
            (State::Completed { .. }, LinkState::Exhausted { .. }) if usable => Ok(()),
            (_, state) if !state.is_open() => state.error().map_or(Ok(()), Err),
            (State::Completed { .. }, _) => Ok(()),
            (State::Exhausted { .. }, _) if usable => Ok(()),
            (State::Pending, _) => Err(Error::NotCompleted),
            (State::Exhausted { .. }, _) => Err(Error::TransferExhausted),
            (State::Expired { .. }, _) => Err(Error::TransferExpired),
            (State::Deleted { .. }, _) => Err(Error::TransferDeleted),
        }
    }

    /// Creates a grant for a download under the own link that starts at `now`.
    #[must_use]
    pub fn new_grant(&self, sha256: Sha256, now: Timestamp) -> GrantRecord {
        self.grant_until(sha256, now, self.expires_at)
    }

    /// Creates a grant for a download that starts at `now`, under a link that expires at `end`.
    pub(super) fn grant_until(&self, sha256: Sha256, now: Timestamp, end: Timestamp) -> GrantRecord {
        let lifetime = MIN_GRANT_LIFETIME.max(Duration::from_secs(self.size_bytes / MIN_DOWNLOAD_RATE));
        GrantRecord { v: V1, sha256, granted_at: now, expires_at: now.plus(lifetime).min(end) }
    }

    /// Finds a grant of the own link in the record.
    #[must_use]
    pub fn find_grant(&self, sha256: &Sha256) -> Option<GrantRecord> {
        self.grants.iter().find(|grant| grant.sha256 == *sha256).copied()
    }

    /// Counts a download under an own link with a download limit. The caller has gathered earlier grants.
    ///
    /// # Errors
    /// As [`Transfer::check_downloadable`].
    pub fn count_download(&mut self, sha256: Sha256, now: Timestamp) -> Result<CountedDownload, Error> {
        self.check_downloadable(now, false)?;
        let grant = self.new_grant(sha256, now);
        self.own_downloads().push(grant);
        Ok(CountedDownload { grant, exhausted: self.end_if_full(now) })
    }

    /// Adds `downloads` of an unlimited own link to the count, unless a write with this `mark` did.
    ///
    /// Returns whether the record was changed.
    pub fn add_downloads(&mut self, downloads: u64, mark: u32, now: Timestamp) -> bool {
        self.own_downloads().add(downloads, mark, now)
    }

    /// Adds `downloads` to the count of all further links, unless a write with this `mark` did.
    ///
    /// Returns whether the record was changed.
    pub fn add_link_downloads(&mut self, downloads: u64, mark: u32) -> bool {
        let is_new = self.own_downloads().take_mark(mark);
        self.link_downloads += if is_new { downloads } else { 0 };
        is_new
    }

    /// Returns the number of downloads under all links; that of further links lags.
    #[must_use]
    pub fn total_downloads(&self) -> u64 {
        self.download_count() + self.link_downloads
    }

    /// Checks that the own link can still be changed.
    ///
    /// # Errors
    /// [`Error::TransferExhausted`], [`Error::TransferExpired`], [`Error::TransferDeleted`], [`Error::LinkClosed`].
    pub fn check_open(&self, now: Timestamp) -> Result<(), Error> {
        match self.check_downloadable(now, false) {
            Err(Error::NotCompleted) => Ok(()),
            checked => checked,
        }
    }

    /// Checks that the transfer can have further links, which a transfer that has ended cannot.
    ///
    /// # Errors
    /// [`Error::TransferExhausted`], [`Error::TransferExpired`], [`Error::TransferDeleted`].
    pub fn check_can_have_links(&self, now: Timestamp) -> Result<(), Error> {
        match self.state_at(now) {
            State::Pending | State::Completed { .. } => Ok(()),
            State::Exhausted { .. } => Err(Error::TransferExhausted),
            State::Expired { .. } => Err(Error::TransferExpired),
            State::Deleted { .. } => Err(Error::TransferDeleted),
        }
    }

    /// Changes expiry time and limit of the own link; `None` leaves a value as it is. Returns whether the link has ended.
    ///
    /// # Errors
    /// As [`Transfer::check_open`].
    #[allow(clippy::option_option, reason = "unlimited is a value, apart from no change")]
    pub fn update_own_link(
        &mut self,
        now: Timestamp,
        expires_at: Option<Timestamp>,
        limit: Option<Option<u32>>,
    ) -> Result<bool, Error> {
        self.check_open(now)?;
        self.expires_at = expires_at.unwrap_or(self.expires_at);
        if let Some(limit) = limit {
            self.own_downloads().set_limit(limit);
        }
        Ok(self.end_if_full(now))
    }

    /// Moves the grants of separate objects into the record, after the own link got a limit. Returns whether it has
    /// ended.
    pub fn gather(&mut self, objects: GrantObjects, now: Timestamp) -> bool {
        self.own_downloads().gather(objects, now);
        self.end_if_full(now)
    }

    /// Closes the own link. Returns `false` if the record has its end already.
    ///
    /// A link that has expired by the clock alone is closed too: the clock of another server may be behind.
    pub fn close_own_link(&mut self, now: Timestamp) -> bool {
        let is_open = self.own_link.is_open() && self.state.ended_at().is_none();
        if is_open {
            self.own_link = LinkState::Closed { at: now };
        }
        is_open
    }

    /// Returns until when the own link keeps the payload: its expiry, or that of its last grant. `None` if it does not.
    #[must_use]
    pub fn own_link_needed_until(&self, now: Timestamp) -> Option<Timestamp> {
        needed_until(self.own_link_at(now), self.expires_at, &self.grants).filter(|until| *until > now)
    }

    /// Ends a completed transfer with its last link, which ended as `last`, and releases the payload.
    ///
    /// Returns the event; `None` if the transfer is not completed, or its own link is still in use.
    pub fn end_with_last_link(&mut self, last: LinkState, now: Timestamp) -> Option<EventKind> {
        let State::Completed { at: completed_at } = self.state else { return None };
        if self.own_link_needed_until(now).is_some() {
            return None;
        }
        self.own_link = self.own_link_at(now);
        let (state, event) = match last {
            LinkState::Exhausted { at } => (State::Exhausted { at, completed_at }, EventKind::TransferExhausted),
            LinkState::Closed { at } => {
                let cause = DeletionCause::LinksClosed;
                (State::Deleted { at, completed_at: Some(completed_at), cause }, EventKind::TransferDeleted)
            }
            LinkState::Expired { at } => {
                (State::Expired { at, completed_at: Some(completed_at) }, EventKind::TransferExpired)
            }
            LinkState::Open => return None,
        };
        self.state = state;
        self.payload = PayloadState::PendingRemoval;
        Some(event)
    }

    /// Ends the own link if its limit is reached, and the transfer with it if there are no further links.
    fn end_if_full(&mut self, now: Timestamp) -> bool {
        let is_full = self.own_link.is_open() && self.own_downloads().is_full();
        match self.state {
            State::Completed { at: completed_at } if is_full && self.links.is_empty() => {
                self.state = State::Exhausted { at: now, completed_at };
            }
            State::Completed { .. } if is_full => self.own_link = LinkState::Exhausted { at: now },
            _ => return false,
        }
        is_full
    }

    fn own_downloads(&mut self) -> LinkDownloads<'_> {
        LinkDownloads {
            limit: &mut self.max_downloads,
            grants: &mut self.grants,
            others: &mut self.downloads,
            marks: &mut self.count_marks,
            history: &mut self.limit_history,
            last_at: &mut self.last_download_at,
        }
    }
}

/// Returns until when a link in `state` keeps the payload; `None` if its end was immediate.
pub(super) fn needed_until(state: LinkState, expires_at: Timestamp, grants: &[GrantRecord]) -> Option<Timestamp> {
    match state {
        LinkState::Open => Some(expires_at),
        LinkState::Exhausted { .. } => grants.iter().map(|grant| grant.expires_at.min(expires_at)).max(),
        LinkState::Expired { .. } | LinkState::Closed { .. } => None,
    }
}
