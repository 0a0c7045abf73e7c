//! State of a further link and its transitions, as pure functions of the stored record and the time.

use serde::{Deserialize, Serialize};

use super::counting::{GrantObjects, LimitHistory, LinkDownloads};
use super::own_link::needed_until;
use super::{CountedDownload, GrantRecord, PayloadState, State, Status, Transfer};
use crate::domain::audit::EventKind;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::{SealedLabel, WrappedKey};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// State of a link of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum LinkState {
    /// Recipients can use the link, once the upload is complete.
    #[default]
    Open,
    /// The link has expired.
    Expired {
        /// Time of expiry.
        at: Timestamp,
    },
    /// The download limit is reached.
    Exhausted {
        /// Time of the last counted download, or of the change of the limit.
        at: Timestamp,
    },
    /// The sender closed the link.
    Closed {
        /// Time of closing.
        at: Timestamp,
    },
}

impl LinkState {
    /// Returns whether recipients can use the link.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Returns the time of the link's end; `None` if it has not ended.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Open => None,
            Self::Expired { at } | Self::Exhausted { at } | Self::Closed { at } => Some(*at),
        }
    }

    /// Returns the error of a download under an ended link; `None` for an open link.
    pub(super) const fn error(&self) -> Option<Error> {
        match self {
            Self::Open => None,
            Self::Expired { .. } => Some(Error::TransferExpired),
            Self::Exhausted { .. } => Some(Error::TransferExhausted),
            Self::Closed { .. } => Some(Error::LinkClosed),
        }
    }

    /// Returns the status of an ended link; `None` for an open link.
    pub(super) const fn status(&self) -> Option<Status> {
        match self {
            Self::Open => None,
            Self::Expired { .. } => Some(Status::Expired),
            Self::Exhausted { .. } => Some(Status::Exhausted),
            Self::Closed { .. } => Some(Status::Closed),
        }
    }
}

/// `links/{link_id}.json`: stored record of a further link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FurtherLink {
    /// Version of the record format.
    pub v: V1,
    /// Id of the link.
    pub link_id: LinkId,
    /// Id of the transfer, whose record lists the link.
    pub transfer_id: TransferId,
    /// Creation time.
    pub created_at: Timestamp,
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Download limit; `None` means unlimited.
    pub max_downloads: Option<u32>,
    /// SHA-256 of the access proof required for downloads.
    pub access_sha256: Sha256,
    /// Whether the access proof depends on a passphrase, so that wrong proofs are limited.
    pub access_from_passphrase: bool,
    /// Payload key, encrypted with the link's key.
    pub wrapped_key: WrappedKey,
    /// Name of the link, encrypted for the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<SealedLabel>,
    /// Stored state; [`FurtherLink::state_at`] also applies expiry.
    pub state: LinkState,
    /// Grants of a link with a download limit.
    pub grants: Vec<GrantRecord>,
    /// Number of downloads whose grants are not in `grants`; lags while the link is unlimited.
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

impl FurtherLink {
    /// Returns the state at `now`: the stored state, or expired if the expiry time has passed since.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> LinkState {
        match self.state {
            LinkState::Open if self.expires_at <= now => LinkState::Expired { at: self.expires_at },
            state => state,
        }
    }

    /// Returns the status of the link of `transfer` at `now`.
    #[must_use]
    pub fn status_at(&self, transfer: &Transfer, now: Timestamp) -> Status {
        match transfer.state_at(now) {
            state if state.is_deletion() => Status::Deleted,
            state => self.state_at(now).status().unwrap_or_else(|| state.status()),
        }
    }

    /// Applies expiry to the stored state; returns the event if the link has expired.
    pub fn apply_expiry(&mut self, now: Timestamp) -> Option<EventKind> {
        let state = self.state_at(now);
        let changed = state != self.state;
        self.state = state;
        changed.then_some(EventKind::LinkExpired)
    }

    /// Checks that the link can still be changed.
    ///
    /// # Errors
    /// [`Error::TransferExpired`], [`Error::TransferExhausted`], [`Error::LinkClosed`].
    pub fn check_open(&self, now: Timestamp) -> Result<(), Error> {
        self.state_at(now).error().map_or(Ok(()), Err)
    }

    /// Checks that the payload of `transfer` can be downloaded under this link. `granted` says whether the client has a
    /// valid grant.
    ///
    /// # Errors
    /// As [`Transfer::check_downloadable`].
    pub fn check_downloadable(&self, transfer: &Transfer, now: Timestamp, granted: bool) -> Result<(), Error> {
        // The sender may have set an expiry before that of the grant.
        let usable = granted && transfer.payload == PayloadState::Stored && now < self.expires_at;
        match (transfer.state_at(now), self.state_at(now)) {
            (state, _) if state.is_deletion() => Err(Error::TransferDeleted),
            (_, LinkState::Exhausted { .. }) if usable => Ok(()),
            (_, state) if !state.is_open() => state.error().map_or(Ok(()), Err),
            (State::Completed { .. }, _) => Ok(()),
            (State::Pending, _) => Err(Error::NotCompleted),
            // An open link of a transfer that ended is one whose creation the end has overtaken.
            (State::Exhausted { .. }, _) => Err(Error::TransferExhausted),
            (State::Expired { .. }, _) => Err(Error::TransferExpired),
            (State::Deleted { .. }, _) => Err(Error::TransferDeleted),
        }
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

    /// Creates a grant of `transfer` under this link for a download that starts at `now`.
    #[must_use]
    pub fn new_grant(&self, transfer: &Transfer, sha256: Sha256, now: Timestamp) -> GrantRecord {
        transfer.grant_until(sha256, now, self.expires_at)
    }

    /// Finds a grant in the record.
    #[must_use]
    pub fn find_grant(&self, sha256: &Sha256) -> Option<GrantRecord> {
        self.grants.iter().find(|grant| grant.sha256 == *sha256).copied()
    }

    /// Counts a download of a link with a download limit. The caller has gathered earlier grants.
    ///
    /// # Errors
    /// As [`FurtherLink::check_downloadable`].
    pub fn count_download(
        &mut self,
        transfer: &Transfer,
        sha256: Sha256,
        now: Timestamp,
    ) -> Result<CountedDownload, Error> {
        self.check_downloadable(transfer, now, false)?;
        let grant = self.new_grant(transfer, sha256, now);
        self.counter().push(grant);
        Ok(CountedDownload { grant, exhausted: self.end_if_full(now) })
    }

    /// Adds downloads to the count of an unlimited link; see [`Transfer::add_downloads`].
    pub fn add_downloads(&mut self, downloads: u64, mark: u32, now: Timestamp) -> bool {
        self.counter().add(downloads, mark, now)
    }

    /// Changes expiry time and download limit; `None` leaves a value as it is. Returns whether the link has ended.
    ///
    /// # Errors
    /// As [`FurtherLink::check_open`].
    #[allow(clippy::option_option, reason = "unlimited is a value, apart from no change")]
    pub fn update(
        &mut self,
        now: Timestamp,
        expires_at: Option<Timestamp>,
        limit: Option<Option<u32>>,
    ) -> Result<bool, Error> {
        self.check_open(now)?;
        self.expires_at = expires_at.unwrap_or(self.expires_at);
        if let Some(limit) = limit {
            self.counter().set_limit(limit);
        }
        Ok(self.end_if_full(now))
    }

    /// Moves the grants of separate objects into the record, after the link got a limit. Returns whether it has ended.
    pub fn gather(&mut self, objects: GrantObjects, now: Timestamp) -> bool {
        self.counter().gather(objects, now);
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

    /// Returns until when the link keeps the payload: its expiry, or that of its last grant. `None` if it does not.
    #[must_use]
    pub fn needed_until(&self, now: Timestamp) -> Option<Timestamp> {
        needed_until(self.state_at(now), self.expires_at, &self.grants).filter(|until| *until > now)
    }

    fn end_if_full(&mut self, now: Timestamp) -> bool {
        let is_full = self.state.is_open() && self.counter().is_full();
        if is_full {
            self.state = LinkState::Exhausted { at: now };
        }
        is_full
    }

    fn counter(&mut self) -> LinkDownloads<'_> {
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
