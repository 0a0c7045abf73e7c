//! Removal of a transfer's payload and records: conditions and times.

use std::time::Duration;

use super::{PayloadState, State, Transfer};
use crate::domain::timestamp::Timestamp;

/// Time after a transfer's completion or end within which a late upload may write bytes.
///
/// An upload request reads the state of its transfer before its first bytes, and then at least once an hour. The second
/// hour is for slow stores and for clocks that differ.
pub const LATE_UPLOAD_PERIOD: Duration = Duration::from_hours(2);

impl Transfer {
    /// Releases the payload for removal if no client may download the payload any more. Returns whether this call made
    /// the release.
    ///
    /// A released payload is never served again.
    pub fn release_payload(&mut self, now: Timestamp) -> bool {
        let unreachable = match self.state {
            State::Pending | State::Completed { .. } => false,
            State::Exhausted { .. } => self.own_link.last_grant_expires_at().is_none_or(|last| last <= now),
            State::Expired { .. } | State::Deleted { .. } => true,
        };
        let releases = unreachable && self.payload == PayloadState::Stored;
        if releases {
            self.payload = PayloadState::PendingRemoval;
        }
        releases
    }

    /// Marks the payload as removed at `now`. Its bytes no longer count as used, unless an upload URL is still valid.
    pub fn record_removal(&mut self, now: Timestamp) {
        self.payload = PayloadState::Removed;
        let closed_at = self.state.completed_at().or(self.state.ended_at());
        self.late_uploads_until = closed_at.map(|at| at.plus(LATE_UPLOAD_PERIOD)).filter(|until| now < *until);
        if self.upload_urls_until.is_none_or(|until| until <= now) {
            self.clear_upload_urls();
        }
    }

    /// Returns the time at which a removed payload must be removed again.
    ///
    /// Something may have written it anew until then; `None` if nothing can.
    #[must_use]
    pub fn second_removal_at(&self) -> Option<Timestamp> {
        self.upload_urls_until.into_iter().chain(self.late_uploads_until).min()
    }

    /// Records at `now` that a removed payload was removed again. Returns `false` if that was not due.
    pub fn record_second_removal(&mut self, now: Timestamp) -> bool {
        let is_over = |until: Option<Timestamp>| until.is_some_and(|until| until <= now);
        let (urls_over, uploads_over) = (is_over(self.upload_urls_until), is_over(self.late_uploads_until));
        if urls_over {
            self.clear_upload_urls();
        }
        if uploads_over {
            self.late_uploads_until = None;
        }
        urls_over || uploads_over
    }

    fn clear_upload_urls(&mut self) {
        self.upload_urls_until = None;
        self.holds_quota = false;
    }

    /// Returns the time at which the sweeper should process the transfer next.
    #[must_use]
    pub fn next_sweep_at(&self, now: Timestamp, retain_audit: Duration) -> Timestamp {
        if let Some(deadline) = self.deadline() {
            return self.reminder_at().map_or(deadline, |reminder| reminder.min(deadline));
        }
        match self.payload {
            // With further links, the sweeper reads the links to find the time.
            PayloadState::Stored if matches!(self.state, State::Completed { .. }) => now,
            PayloadState::Stored => self.own_link.last_grant_expires_at().unwrap_or(now),
            PayloadState::PendingRemoval => now,
            PayloadState::Removed => self.second_removal_at().unwrap_or_else(|| self.retained_until(retain_audit)),
        }
    }

    /// Returns the time at which the transfer's records are removed.
    #[must_use]
    pub fn retained_until(&self, retain_audit: Duration) -> Timestamp {
        self.state.ended_at().unwrap_or(self.own_link.expires_at).plus(retain_audit)
    }
}
