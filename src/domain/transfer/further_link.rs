//! Further link of a transfer, which has a record of its own.

use serde::{Deserialize, Serialize};

use super::{CountedDownload, GrantObjects, LinkAt, LinkChange, LinkRecord, Transfer};
use crate::domain::audit::EventKind;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::{SealedLabel, WRAPPED_KEY_BYTES, WrappedKey};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

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
    /// Payload key, encrypted with the link's key.
    pub wrapped_key: WrappedKey,
    /// Name of the link, encrypted for the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<SealedLabel>,
    /// Terms, state and counts of the link.
    #[serde(flatten)]
    pub link: LinkRecord,
}

impl FurtherLink {
    /// Returns what stands for the wrapped key in a record that only closes its id: no key unwraps it.
    #[must_use]
    pub fn no_key() -> WrappedKey {
        WrappedKey::from_bytes(&[0; WRAPPED_KEY_BYTES])
    }

    /// Returns the link of `transfer` at `now`.
    #[must_use]
    pub fn at<'a>(&'a self, transfer: &'a Transfer, now: Timestamp) -> LinkAt<'a> {
        LinkAt::further(transfer, &self.link, now)
    }

    /// Applies expiry to the stored state; returns the event if the link has expired.
    pub fn apply_expiry(&mut self, now: Timestamp) -> Option<EventKind> {
        self.link.apply_expiry(now).then_some(EventKind::LinkExpired)
    }

    /// Counts a download of a link with a download limit. The caller has gathered earlier grants.
    ///
    /// # Errors
    /// As [`LinkAt::check_downloadable`].
    pub fn count_download(
        &mut self,
        transfer: &Transfer,
        sha256: Sha256,
        now: Timestamp,
    ) -> Result<CountedDownload, Error> {
        let link = self.at(transfer, now);
        link.check_downloadable(false)?;
        let grant = link.new_grant(sha256);
        Ok(CountedDownload { grant, exhausted: self.link.count_download(grant, now) })
    }

    /// Changes expiry time and download limit. Returns whether the link has ended.
    ///
    /// # Errors
    /// As [`LinkAt::check_open`].
    pub fn update(&mut self, transfer: &Transfer, change: LinkChange, now: Timestamp) -> Result<bool, Error> {
        self.at(transfer, now).check_open()?;
        Ok(self.link.update(change, now))
    }

    /// Moves the grants of separate objects into the record, after the link got a limit. Returns whether it has ended.
    pub fn gather(&mut self, objects: GrantObjects, now: Timestamp) -> bool {
        self.link.gather(objects, now)
    }
}
