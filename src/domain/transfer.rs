//! A transfer's state, and how it changes: pure functions of what is stored and what time it is.

mod grant;
mod parts;
mod state;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use grant::{GrantRecord, Granted};
pub use parts::PartPlan;
pub use state::{DeletionCause, PayloadFate, State, Status, UploadKind};

use super::audit::EventKind;
use super::digest::Sha256;
use super::error::Error;
use super::id::{TokenId, TransferId};
use super::timestamp::Timestamp;
use super::token::Mark;
use super::version::V1;
use super::wire::Flow;

/// A pending transfer goes this long after its last byte.
const PENDING_SILENCE: Duration = Duration::from_hours(24);
/// A pending transfer goes this long after its creation, whatever arrives.
const PENDING_AT_MOST: Duration = Duration::from_hours(7 * 24);
/// The shortest lifetime of a grant.
const GRANT_LIFETIME: Duration = Duration::from_hours(1);
/// The rate at which a download still fits into its grant, in bytes a second.
const GRANT_RATE: u64 = 128 * 1024;

/// `transfers/{transfer_id}/meta.json`: a transfer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The version of this form.
    pub v: V1,
    /// Which transfer.
    pub transfer_id: TransferId,
    /// The token that created it: the only one that may upload, complete and delete.
    pub token_id: TokenId,
    /// Size of the sealed payload, in bytes.
    pub size_bytes: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
    /// How many downloads it allows; `None` is any number.
    pub max_downloads: Option<u32>,
    /// SHA-256 of the access proof that downloading takes.
    pub access_sha256: Option<Sha256>,
    /// The `creates/` key that leads here, removed together with the transfer.
    pub created_under: Option<String>,
    /// Where it stands.
    pub state: State,
    /// How its bytes arrive.
    pub upload: Option<UploadKind>,
    /// When bytes, or the leave to send them, were last asked for.
    pub last_byte_at: Option<Timestamp>,
    /// Until when a URL that was given out may still put bytes into the payload store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_urls_until: Option<Timestamp>,
    /// The grants of a limited transfer: their number is its download count.
    pub grants: Vec<GrantRecord>,
    /// The downloads of an unlimited transfer, as far as they have been added up.
    pub downloads: u64,
    /// What became of its payload.
    pub payload: PayloadFate,
    /// Whether its bytes count against the quota of its token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_quota: bool,
    /// The reservation in its token's quota that it lives on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Mark>,
    /// Its records are being removed, and no counter counts it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
}

/// What a sender fixes when a transfer is created.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Size of the sealed payload, in bytes.
    pub size_bytes: u64,
    /// How long the transfer lives.
    pub lifetime: Duration,
    /// How many downloads it allows.
    pub max_downloads: Option<u32>,
    /// SHA-256 of its access proof.
    pub access_sha256: Option<Sha256>,
}

impl Transfer {
    /// A new transfer of `token_id`, pending from `now` on.
    #[must_use]
    pub fn new(transfer_id: TransferId, token_id: TokenId, terms: &Terms, now: Timestamp) -> Self {
        Self {
            v: V1,
            transfer_id,
            token_id,
            size_bytes: terms.size_bytes,
            created_at: now,
            expires_at: now.plus(terms.lifetime),
            max_downloads: terms.max_downloads,
            access_sha256: terms.access_sha256,
            created_under: None,
            state: State::Pending,
            upload: None,
            last_byte_at: None,
            upload_urls_until: None,
            grants: Vec::new(),
            downloads: 0,
            payload: PayloadFate::Kept,
            holds_quota: false,
            reservation: None,
            forgotten: false,
        }
    }

    /// When time ends it, if it has not ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Pending => {
                let silent_since = self.last_byte_at.unwrap_or(self.created_at);
                let at_most = self.created_at.plus(PENDING_AT_MOST).min(self.expires_at);
                Some(silent_since.plus(PENDING_SILENCE).min(at_most))
            }
            State::Completed { .. } => Some(self.expires_at),
            State::Expired { .. } | State::Exhausted { .. } | State::Deleted { .. } => None,
        }
    }

    /// Where it stands at `now`: what is stored, unless time has ended it since.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        match self.deadline() {
            Some(deadline) if deadline <= now => {
                State::Expired { at: deadline, completed_at: self.state.completed_at() }
            }
            _ => self.state,
        }
    }

    /// Makes durable what time has done; answers what happened, if anything.
    pub fn settle(&mut self, now: Timestamp) -> Option<EventKind> {
        let state = self.state_at(now);
        let changed = state != self.state;
        self.state = state;
        changed.then_some(EventKind::TransferExpired)
    }

    /// Downloads counted so far.
    #[must_use]
    pub fn download_count(&self) -> u64 {
        if self.max_downloads.is_some() { self.grants.len() as u64 } else { self.downloads }
    }

    /// Downloads left; `None` where there is no limit.
    #[must_use]
    pub fn downloads_remaining(&self) -> Option<u32> {
        let used = u32::try_from(self.grants.len()).unwrap_or(u32::MAX);
        self.max_downloads.map(|limit| limit.saturating_sub(used))
    }

    /// Refuses whatever needs a transfer that is still uploading.
    pub fn check_pending(&self, now: Timestamp) -> Result<(), Error> {
        match self.state_at(now) {
            State::Pending => Ok(()),
            State::Completed { .. } | State::Exhausted { .. } => Err(Error::TransferNotPending),
            State::Expired { .. } => Err(Error::TransferExpired),
            State::Deleted { cause: DeletionCause::SizeMismatch, .. } => Err(Error::SizeMismatch),
            State::Deleted { cause: DeletionCause::Asked, .. } => Err(Error::TransferDeleted),
        }
    }

    /// Refuses whatever needs a payload that can be fetched; `granted` says that the asker holds a live grant.
    pub fn check_downloadable(&self, now: Timestamp, granted: bool) -> Result<(), Error> {
        match self.state_at(now) {
            State::Completed { .. } => Ok(()),
            State::Exhausted { .. } if granted && self.payload == PayloadFate::Kept => Ok(()),
            State::Pending => Err(Error::NotCompleted),
            State::Exhausted { .. } => Err(Error::TransferExhausted),
            State::Expired { .. } => Err(Error::TransferExpired),
            State::Deleted { .. } => Err(Error::TransferDeleted),
        }
    }

    /// Notes that bytes have arrived.
    pub fn note_bytes(&mut self, now: Timestamp) -> Result<(), Error> {
        self.check_pending(now)?;
        self.upload = Some(UploadKind::Bytes);
        self.last_byte_at = Some(now);
        Ok(())
    }

    /// Whether its payload is there, whole, for those who may have it.
    #[must_use]
    pub fn keeps_payload(&self) -> bool {
        let served = matches!(self.state, State::Completed { .. } | State::Exhausted { .. });
        served && self.payload == PayloadFate::Kept
    }

    /// Which way its payload comes.
    #[must_use]
    pub fn upload_flow(&self) -> Flow {
        self.upload.map_or(Flow::Bytes, UploadKind::flow)
    }

    /// Notes that URLs were given out that may put bytes into the payload store, for at most `lifetime`; `false` where
    /// that was noted before. It is noted for twice as long, so that a long upload seldom does it.
    pub fn note_upload_urls(&mut self, now: Timestamp, lifetime: Duration) -> Result<bool, Error> {
        self.check_pending(now)?;
        let noted = self.upload_urls_until.is_some_and(|until| until >= now.plus(lifetime));
        if !noted {
            self.upload_urls_until = Some(now.plus(lifetime * 2));
            self.last_byte_at = Some(now);
        }
        Ok(!noted)
    }

    /// Notes that its payload is gone and that no URL can put it back: it takes no room any more.
    pub fn forget_upload_urls(&mut self) {
        self.upload_urls_until = None;
        self.holds_quota = false;
    }

    /// Declares the upload complete; `false` where it already was.
    pub fn complete(&mut self, now: Timestamp) -> Result<bool, Error> {
        match self.state_at(now) {
            State::Completed { .. } | State::Exhausted { .. } => Ok(false),
            _ => {
                self.check_pending(now)?;
                self.state = State::Completed { at: now };
                Ok(true)
            }
        }
    }

    /// Deletes it; `false` where it already was.
    pub fn delete(&mut self, now: Timestamp, cause: DeletionCause) -> bool {
        if matches!(self.state, State::Deleted { .. }) {
            return false;
        }
        self.state = State::Deleted { at: now, completed_at: self.state.completed_at(), cause };
        self.release(now);
        true
    }

    /// A grant made at `now` of a download of this transfer.
    #[must_use]
    pub fn new_grant(&self, sha256: Sha256, now: Timestamp) -> GrantRecord {
        let lifetime = GRANT_LIFETIME.max(Duration::from_secs(self.size_bytes / GRANT_RATE));
        GrantRecord { v: V1, sha256, granted_at: now, expires_at: now.plus(lifetime).min(self.expires_at) }
    }

    /// Finds a grant of a limited transfer.
    #[must_use]
    pub fn find_grant(&self, sha256: &Sha256) -> Option<GrantRecord> {
        self.grants.iter().find(|grant| grant.sha256 == *sha256).copied()
    }

    /// Counts a download of a limited transfer.
    ///
    /// # Panics
    /// If the transfer has no limit: its grants are objects of their own.
    pub fn count_download(&mut self, sha256: Sha256, now: Timestamp) -> Result<Granted, Error> {
        self.check_downloadable(now, false)?;
        let limit = self.max_downloads.expect("only limited transfers keep their grants");
        let grant = self.new_grant(sha256, now);
        self.grants.push(grant);
        let exhausted = self.grants.len() >= limit as usize;
        if let (true, State::Completed { at: completed_at }) = (exhausted, self.state) {
            self.state = State::Exhausted { at: now, completed_at };
        }
        Ok(Granted { grant, exhausted })
    }

    /// Gives up the payload if nobody may have it any more; from then on it is never served again.
    pub fn release(&mut self, now: Timestamp) -> bool {
        let unwanted = match self.state {
            State::Pending | State::Completed { .. } => false,
            State::Exhausted { .. } => self.last_grant_expires_at().is_none_or(|last| last <= now),
            State::Expired { .. } | State::Deleted { .. } => true,
        };
        let releases = unwanted && self.payload == PayloadFate::Kept;
        if releases {
            self.payload = PayloadFate::Released;
        }
        releases
    }

    fn last_grant_expires_at(&self) -> Option<Timestamp> {
        self.grants.iter().map(|grant| grant.expires_at).max()
    }

    /// When it should be looked at next.
    #[must_use]
    pub fn next_due(&self, now: Timestamp, retain_audit: Duration) -> Timestamp {
        if let Some(deadline) = self.deadline() {
            return deadline;
        }
        match self.payload {
            PayloadFate::Kept => self.last_grant_expires_at().unwrap_or(now),
            PayloadFate::Released => now,
            PayloadFate::Removed => self.upload_urls_until.unwrap_or_else(|| self.retained_until(retain_audit)),
        }
    }

    /// When its records go.
    #[must_use]
    pub fn retained_until(&self, retain_audit: Duration) -> Timestamp {
        self.state.ended_at().unwrap_or(self.expires_at).plus(retain_audit)
    }
}

#[cfg(test)]
mod tests;
