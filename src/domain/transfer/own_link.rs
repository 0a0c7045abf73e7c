//! A transfer's own link, which is part of the transfer's record.
//!
//! Without further links, the transfer ends with its own link. With further links, the own link's end is recorded in
//! `own_link`, and the transfer ends with its last link.

use super::{
    CountedDownload, DeletionCause, GrantObjects, LinkAt, LinkChange, LinkState, PayloadState, State, Transfer,
};
use crate::domain::audit::EventKind;
use crate::domain::crypto::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;

impl Transfer {
    /// Returns the own link at `now`.
    #[must_use]
    pub fn own_link_at(&self, now: Timestamp) -> LinkAt<'_> {
        LinkAt::own(self, now)
    }

    /// Returns whether the transfer ends with its own link, which is open and the only one.
    #[must_use]
    pub fn ends_with_own_link(&self) -> bool {
        self.links.is_empty() && self.own_link.state.is_open()
    }

    /// Counts a download under an own link with a download limit. The caller has gathered earlier grants.
    ///
    /// # Errors
    /// As [`LinkAt::check_downloadable`].
    pub fn count_download(&mut self, sha256: Sha256, now: Timestamp) -> Result<CountedDownload, Error> {
        let link = self.own_link_at(now);
        link.check_downloadable(false)?;
        let grant = link.new_grant(sha256);
        let exhausted = self.own_link.count_download(grant, now);
        self.move_end();
        Ok(CountedDownload { grant, exhausted })
    }

    /// Adds `downloads` to the count of all further links, unless a write with this `mark` did.
    ///
    /// Returns whether the record was changed.
    pub fn add_link_downloads(&mut self, downloads: u64, mark: u32) -> bool {
        let is_new = self.own_link.take_mark(mark);
        self.link_downloads += if is_new { downloads } else { 0 };
        is_new
    }

    /// Returns the number of downloads under all links; that of further links lags.
    #[must_use]
    pub fn total_downloads(&self) -> u64 {
        self.own_link.download_count() + self.link_downloads
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

    /// Changes expiry time and limit of the own link. Returns whether the link has ended.
    ///
    /// # Errors
    /// As [`LinkAt::check_open`].
    pub fn update_own_link(&mut self, change: LinkChange, now: Timestamp) -> Result<bool, Error> {
        self.own_link_at(now).check_open()?;
        let ended = self.own_link.update(change, now);
        self.move_end();
        Ok(ended)
    }

    /// Moves the grants of separate objects into the record, after the own link got a limit. Returns whether it has
    /// ended.
    pub fn gather(&mut self, objects: GrantObjects, now: Timestamp) -> bool {
        let ended = self.own_link.gather(objects, now);
        self.move_end();
        ended
    }

    /// Closes the own link. Returns `false` if the record has its end already; see
    /// [`LinkRecord::close`](super::LinkRecord::close).
    pub fn close_own_link(&mut self, now: Timestamp) -> bool {
        self.state.ended_at().is_none() && self.own_link.close(now)
    }

    /// Ends a completed transfer with its last link, which ended as `last`, and releases the payload.
    ///
    /// Returns the event; `None` if the transfer is not completed, or its own link is still in use.
    pub fn end_with_last_link(&mut self, last: LinkState, now: Timestamp) -> Option<EventKind> {
        let State::Completed { at: completed_at } = self.state else { return None };
        let own_link = self.own_link_at(now);
        if own_link.needed_until().is_some() {
            return None;
        }
        self.own_link.state = own_link.state();
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

    /// Ends the transfer with its own link that reached its limit, if there are no further links.
    fn move_end(&mut self) {
        if let (LinkState::Exhausted { at }, State::Completed { at: completed_at }) = (self.own_link.state, self.state)
            && self.links.is_empty()
        {
            self.state = State::Exhausted { at, completed_at };
            self.own_link.state = LinkState::Open;
        }
    }
}
