//! Link of a transfer at one time: rules for status, downloads and changes that all links share.

use std::time::Duration;

use super::{
    GrantRecord, LinkRecord, LinkState, MIN_DOWNLOAD_RATE, MIN_GRANT_LIFETIME, PayloadState, State, Status, Transfer,
};
use crate::domain::crypto::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Own or further link of a transfer at one time.
#[derive(Clone, Copy, Debug)]
pub struct LinkAt<'a> {
    transfer: &'a Transfer,
    link: &'a LinkRecord,
    state: LinkState,
    now: Timestamp,
}

impl<'a> LinkAt<'a> {
    /// Returns a further link of `transfer` at `now`.
    pub(super) fn further(transfer: &'a Transfer, link: &'a LinkRecord, now: Timestamp) -> Self {
        Self { transfer, link, state: link.state_at(now), now }
    }

    /// Returns the own link of `transfer` at `now`. Its end can be recorded as that of the transfer.
    pub(super) fn own(transfer: &'a Transfer, now: Timestamp) -> Self {
        let link = &transfer.own_link;
        let state = match (link.state, transfer.state_at(now)) {
            (LinkState::Open, State::Expired { at, .. }) => LinkState::Expired { at },
            (LinkState::Open, State::Exhausted { at, .. }) => LinkState::Exhausted { at },
            (_, State::Pending | State::Completed { .. }) => link.state_at(now),
            (state, _) => state,
        };
        Self { transfer, link, state, now }
    }

    /// Returns the state of the link.
    #[must_use]
    pub const fn state(&self) -> LinkState {
        self.state
    }

    /// Returns the status of the link: its own end, or else that of the transfer.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.transfer.state_at(self.now) {
            state if state.is_deletion() => Status::Deleted,
            state => self.state.status().unwrap_or_else(|| state.status()),
        }
    }

    /// Checks that the payload can be downloaded under the link. `granted` says whether the client has a valid grant.
    ///
    /// # Errors
    /// [`Error::NotCompleted`], [`Error::TransferExhausted`], [`Error::TransferExpired`], [`Error::TransferDeleted`],
    /// [`Error::LinkClosed`].
    pub fn check_downloadable(&self, granted: bool) -> Result<(), Error> {
        // The sender may have set an expiry before that of the grant.
        let usable = granted && self.transfer.payload == PayloadState::Stored && self.now < self.link.expires_at;
        match (self.transfer.state_at(self.now), self.state) {
            (state, _) if state.is_deletion() => Err(Error::TransferDeleted),
            (_, LinkState::Exhausted { .. }) if usable => Ok(()),
            (_, state) if !state.is_open() => state.error().map_or(Ok(()), Err),
            (State::Completed { .. }, _) => Ok(()),
            (State::Pending, _) => Err(Error::NotCompleted),
            // An open further link of a transfer that ended is one whose creation the end has overtaken.
            (State::Exhausted { .. }, _) => Err(Error::TransferExhausted),
            (State::Expired { .. }, _) => Err(Error::TransferExpired),
            (State::Deleted { .. }, _) => Err(Error::TransferDeleted),
        }
    }

    /// Checks that the link can still be changed.
    ///
    /// # Errors
    /// [`Error::TransferExhausted`], [`Error::TransferExpired`], [`Error::TransferDeleted`], [`Error::LinkClosed`].
    pub fn check_open(&self) -> Result<(), Error> {
        match self.check_downloadable(false) {
            Err(Error::NotCompleted) => Ok(()),
            checked => checked,
        }
    }

    /// Creates a grant for a download that starts now.
    #[must_use]
    pub fn new_grant(&self, sha256: Sha256) -> GrantRecord {
        let at_min_rate = Duration::from_secs(self.transfer.size_bytes / MIN_DOWNLOAD_RATE);
        let end = self.now.plus(MIN_GRANT_LIFETIME.max(at_min_rate));
        GrantRecord { v: V1, sha256, granted_at: self.now, expires_at: end.min(self.link.expires_at) }
    }

    /// Returns until when the link keeps the payload: its expiry, or that of its last grant. `None` if it does not.
    #[must_use]
    pub fn needed_until(&self) -> Option<Timestamp> {
        self.link.needed_until(self.state, self.now)
    }
}
