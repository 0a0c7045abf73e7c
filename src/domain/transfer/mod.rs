//! State of a transfer and its transitions, as pure functions of the stored record and the time.

mod counting;
mod further_link;
mod grant;
mod guest_upload;
mod link_at;
mod link_record;
mod link_state;
mod own_link;
mod parts;
mod removal;
mod resolved_link;
mod state;
mod terms;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use counting::{GrantObjects, LimitHistory, MAX_GATHERED};
pub use further_link::FurtherLink;
pub use grant::{CountedDownload, GrantRecord};
pub use guest_upload::{Guest, GuestUpload};
pub use link_at::LinkAt;
pub use link_record::{LinkChange, LinkRecord};
pub use link_state::LinkState;
pub use parts::PartPlan;
pub use removal::LATE_UPLOAD_PERIOD;
pub use resolved_link::ResolvedLink;
pub use state::{DeletionCause, PayloadState, State, Status, UploadKind};
pub use terms::TransferTerms;

use super::audit::EventKind;
use super::error::Error;
use super::id::{LinkId, PayloadId, TokenId, TransferId};
use super::notification::TransferNotifications;
use super::people::recipient_keys::KeysBlob;
use super::timestamp::Timestamp;
use super::token::ReservationMark;
use super::version::V1;
use super::wire::{CompleteUpload, Flow};
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::sealed_signature::SealedSignature;

/// Time without upload activity after which a pending transfer expires.
const PENDING_IDLE_TIMEOUT: Duration = Duration::from_hours(24);
/// Maximum age of a pending transfer, regardless of upload activity.
const MAX_PENDING_AGE: Duration = Duration::from_hours(7 * 24);
/// Minimum lifetime of a grant.
const MIN_GRANT_LIFETIME: Duration = Duration::from_hours(1);
/// Download rate, in bytes per second, at which a full download fits into the lifetime of its grant.
const MIN_DOWNLOAD_RATE: u64 = 128 * 1024;

/// `transfers/{transfer_id}/meta.json`: stored record of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Version of the record format.
    pub v: V1,
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Id of the payload; absent for payloads from before layout 4, which have the id of the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_id: Option<PayloadId>,
    /// Id of the creating token, the only token allowed to upload and complete. See [`Transfer::owner`].
    pub token_id: TokenId,
    /// Encrypted size of the payload, in bytes.
    pub size_bytes: u64,
    /// Creation time.
    pub created_at: Timestamp,
    /// Key of the idempotency record under `creates/`, removed together with the transfer.
    pub created_under: Option<String>,
    /// Stored state; [`Transfer::state_at`] also applies expiry.
    pub state: State,
    /// Upload method; `None` until the first bytes or URLs.
    pub upload: Option<UploadKind>,
    /// Time of the last received bytes, or of the last recorded issue of upload URLs.
    pub last_byte_at: Option<Timestamp>,
    /// Time until which an issued upload URL may still write to the payload store. `None` without such URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_urls_until: Option<Timestamp>,
    /// Time until which an upload that began before the transfer's end may write bytes.
    ///
    /// Set when the payload is removed earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_uploads_until: Option<Timestamp>,
    /// The transfer's own link: its members are among those of the transfer.
    #[serde(flatten, with = "link_record::OwnLinkForm")]
    pub own_link: LinkRecord,
    /// Ids of the further links, at most 1 000, in the order of their creation. An id without an object is no link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkId>,
    /// Number of downloads under all further links; lags, and can miss downloads right before a crash.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub link_downloads: u64,
    /// Encrypted info block, as the sender gave it with the completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<SealedInfo>,
    /// Payload key wrapped for recipients, as the sender gave it with the completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysBlob>,
    /// Encrypted signature of the sender, as the sender gave it with the completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SealedSignature>,
    /// Choice and state of the notifications about the transfer.
    #[serde(default, skip_serializing_if = "TransferNotifications::is_default")]
    pub notifications: TransferNotifications,
    /// State of the payload.
    pub payload: PayloadState,
    /// Whether the payload's bytes count as in use by the token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_quota: bool,
    /// Mark of the quota reservation used for the creation; `None` for transfers of layouts without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationMark>,
    /// Guest and owner of an upload for a request; `None` for the transfer of a sender token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestUpload>,
    /// Whether the transfer's records are being removed; the counters no longer include the transfer then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
}

impl Transfer {
    /// Creates a pending transfer of the token `token_id`.
    #[must_use]
    pub fn new(transfer_id: TransferId, token_id: TokenId, terms: &TransferTerms, now: Timestamp) -> Self {
        let TransferTerms { max_downloads, access_sha256, access_from_passphrase, .. } = *terms;
        let mut own_link =
            LinkRecord::new(now.plus(terms.lifetime), max_downloads, access_sha256, access_from_passphrase);
        if terms.own_link_closed {
            own_link.close(now);
        }
        Self {
            v: V1,
            transfer_id,
            payload_id: Some(PayloadId::random()),
            token_id,
            size_bytes: terms.size_bytes,
            created_at: now,
            created_under: None,
            state: State::Pending,
            upload: None,
            last_byte_at: None,
            upload_urls_until: None,
            late_uploads_until: None,
            own_link,
            links: Vec::new(),
            link_downloads: 0,
            info: None,
            keys: None,
            signature: None,
            notifications: TransferNotifications { choice: terms.notify, ..TransferNotifications::default() },
            payload: PayloadState::Stored,
            holds_quota: false,
            reservation: None,
            guest: None,
            forgotten: false,
        }
    }

    /// Returns the id of the payload.
    #[must_use]
    pub fn payload_id(&self) -> PayloadId {
        self.payload_id.unwrap_or_else(|| self.transfer_id.into())
    }

    /// Returns the time at which the transfer expires. `None` if the transfer has ended, or ends with its last link.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let (own_link_alone, end) = (self.ends_with_own_link(), self.own_link.expires_at);
        match self.state {
            State::Pending => {
                let last_activity = self.last_byte_at.unwrap_or(self.created_at);
                let max_age = self.created_at.plus(MAX_PENDING_AGE);
                let max_age = if own_link_alone { max_age.min(end) } else { max_age };
                Some(last_activity.plus(PENDING_IDLE_TIMEOUT).min(max_age))
            }
            State::Completed { .. } => own_link_alone.then_some(end),
            State::Expired { .. } | State::Exhausted { .. } | State::Deleted { .. } => None,
        }
    }

    /// Returns the state at `now`: the stored state, or expired if the deadline has passed since.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        match self.deadline() {
            Some(deadline) if deadline <= now => {
                State::Expired { at: deadline, completed_at: self.state.completed_at() }
            }
            _ => self.state,
        }
    }

    /// Applies expiry to the stored state; returns the event if the transfer has expired.
    pub fn apply_expiry(&mut self, now: Timestamp) -> Option<EventKind> {
        let state = self.state_at(now);
        let changed = state != self.state;
        self.state = state;
        changed.then_some(EventKind::TransferExpired)
    }

    /// Checks that the upload is still open.
    ///
    /// # Errors
    /// [`Error::TransferNotPending`] after completion; [`Error::TransferExpired`], [`Error::SizeMismatch`] or
    /// [`Error::TransferDeleted`] after the transfer's end.
    pub fn check_pending(&self, now: Timestamp) -> Result<(), Error> {
        match self.state_at(now) {
            State::Pending => Ok(()),
            State::Completed { .. } | State::Exhausted { .. } => Err(Error::TransferNotPending),
            State::Expired { .. } => Err(Error::TransferExpired),
            State::Deleted { cause: DeletionCause::SizeMismatch, .. } => Err(Error::SizeMismatch),
            State::Deleted { .. } => Err(Error::TransferDeleted),
        }
    }

    /// Records that bytes have arrived through this service.
    ///
    /// # Errors
    /// As [`Transfer::check_pending`].
    pub fn record_bytes(&mut self, now: Timestamp) -> Result<(), Error> {
        self.check_pending(now)?;
        self.upload = Some(UploadKind::Bytes);
        self.last_byte_at = Some(now);
        Ok(())
    }

    /// Returns whether the complete payload can still be downloaded.
    #[must_use]
    pub fn is_downloadable(&self) -> bool {
        let downloadable = matches!(self.state, State::Completed { .. } | State::Exhausted { .. });
        downloadable && self.payload == PayloadState::Stored
    }

    /// Returns whether the payload is uploaded through this service or by presigned URLs.
    #[must_use]
    pub fn upload_flow(&self) -> Flow {
        self.upload.map_or(Flow::Bytes, UploadKind::flow)
    }

    /// Records the issue of upload URLs valid for `lifetime`. Returns `false` if the recorded time already covers
    /// `lifetime`.
    ///
    /// Records twice the lifetime, so that a long upload seldom writes the transfer.
    ///
    /// # Errors
    /// As [`Transfer::check_pending`].
    pub fn record_upload_urls(&mut self, now: Timestamp, lifetime: Duration) -> Result<bool, Error> {
        self.check_pending(now)?;
        let covered = self.upload_urls_until.is_some_and(|until| until >= now.plus(lifetime));
        if !covered {
            self.upload_urls_until = Some(now.plus(lifetime * 2));
            self.last_byte_at = Some(now);
        }
        Ok(!covered)
    }

    /// Marks the upload as complete, with an info block, wrapped keys and a signature.
    ///
    /// Returns `false` if the transfer is already completed.
    ///
    /// # Errors
    /// [`Error::InfoMismatch`] if the transfer is completed with other ones; as [`Transfer::check_pending`].
    pub fn complete(&mut self, now: Timestamp, with: &CompleteUpload) -> Result<bool, Error> {
        let is_same = self.info == with.info && self.keys == with.keys && self.signature == with.signature;
        match self.state_at(now) {
            State::Completed { .. } | State::Exhausted { .. } if !is_same => Err(Error::InfoMismatch),
            State::Completed { .. } | State::Exhausted { .. } => Ok(false),
            _ => {
                self.check_pending(now)?;
                self.state = State::Completed { at: now };
                let CompleteUpload { info, keys, signature } = with.clone();
                (self.info, self.keys, self.signature) = (info, keys, signature);
                Ok(true)
            }
        }
    }

    /// Marks the transfer as deleted and releases its payload. Returns `false` if the transfer is already deleted.
    pub fn delete(&mut self, now: Timestamp, cause: DeletionCause) -> bool {
        if matches!(self.state, State::Deleted { .. }) {
            return false;
        }
        self.state = State::Deleted { at: now, completed_at: self.state.completed_at(), cause };
        self.release_payload(now);
        true
    }
}

/// Returns whether a stored number can be omitted.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod tests;
