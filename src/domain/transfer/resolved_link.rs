//! Link with its transfer, as requests name it: the transfer's own link, or a further link.

use super::{FurtherLink, GrantRecord, Status, Transfer};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::WrappedKey;
use crate::domain::error::Error;
use crate::domain::id::LinkId;
use crate::domain::store::{Prefix, StorageKey};
use crate::domain::timestamp::Timestamp;

/// Link of a transfer. Limits, expiry, access proof and grants are the link's; size and payload are the transfer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedLink {
    /// Transfer of the link.
    pub transfer: Transfer,
    /// The further link; `None` for the transfer's own link.
    pub further: Option<FurtherLink>,
}

impl From<Transfer> for ResolvedLink {
    /// Returns the transfer's own link.
    fn from(transfer: Transfer) -> Self {
        Self { transfer, further: None }
    }
}

impl ResolvedLink {
    /// Returns the id of the link.
    #[must_use]
    pub fn id(&self) -> LinkId {
        self.further.as_ref().map_or_else(|| self.transfer.transfer_id.into(), |link| link.link_id)
    }

    /// Returns the id of a further link; `None` for the own link.
    #[must_use]
    pub fn further_id(&self) -> Option<LinkId> {
        self.further.as_ref().map(|link| link.link_id)
    }

    /// Returns the status of the link at `now`.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> Status {
        match &self.further {
            Some(link) => link.status_at(&self.transfer, now),
            None => self.transfer.own_status_at(now),
        }
    }

    /// Checks that the payload can be downloaded; `granted` says whether the client has a valid grant.
    ///
    /// # Errors
    /// As [`Transfer::check_downloadable`].
    pub fn check_downloadable(&self, now: Timestamp, granted: bool) -> Result<(), Error> {
        match &self.further {
            Some(link) => link.check_downloadable(&self.transfer, now, granted),
            None => self.transfer.check_downloadable(now, granted),
        }
    }

    /// Returns the creation time of the link.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.further.as_ref().map_or(self.transfer.created_at, |link| link.created_at)
    }

    /// Returns the expiry time of the link.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.further.as_ref().map_or(self.transfer.expires_at, |link| link.expires_at)
    }

    /// Returns the download limit; `None` means unlimited.
    #[must_use]
    pub fn max_downloads(&self) -> Option<u32> {
        self.further.as_ref().map_or(self.transfer.max_downloads, |link| link.max_downloads)
    }

    /// Returns the number of downloads counted so far.
    #[must_use]
    pub fn download_count(&self) -> u64 {
        self.further.as_ref().map_or_else(|| self.transfer.download_count(), FurtherLink::download_count)
    }

    /// Returns the number of downloads left; `None` without a download limit.
    #[must_use]
    pub fn downloads_remaining(&self) -> Option<u32> {
        self.further.as_ref().map_or_else(|| self.transfer.downloads_remaining(), FurtherLink::downloads_remaining)
    }

    /// Returns the time of the last counted download; lags while the link is unlimited.
    #[must_use]
    pub fn last_download_at(&self) -> Option<Timestamp> {
        self.further.as_ref().map_or(self.transfer.last_download_at, |link| link.last_download_at)
    }

    /// Returns the SHA-256 of the access proof; `None` if no proof is required.
    #[must_use]
    pub fn access_sha256(&self) -> Option<Sha256> {
        self.further.as_ref().map_or(self.transfer.access_sha256, |link| Some(link.access_sha256))
    }

    /// Returns whether the access proof depends on a passphrase.
    #[must_use]
    pub fn access_from_passphrase(&self) -> bool {
        self.further.as_ref().map_or(self.transfer.access_from_passphrase, |link| link.access_from_passphrase)
    }

    /// Returns the wrapped payload key of a further link.
    #[must_use]
    pub fn wrapped_key(&self) -> Option<WrappedKey> {
        self.further.as_ref().map(|link| link.wrapped_key.clone())
    }

    /// Returns whether grants from before the link got its limit are still separate objects.
    #[must_use]
    pub fn is_ungathered(&self) -> bool {
        self.further.as_ref().map_or(self.transfer.limit_history, |link| link.limit_history).ungathered
    }

    /// Finds a grant in the record of the link.
    #[must_use]
    pub fn find_grant(&self, sha256: &Sha256) -> Option<GrantRecord> {
        self.further.as_ref().map_or_else(|| self.transfer.find_grant(sha256), |link| link.find_grant(sha256))
    }

    /// Creates a grant for a download that starts at `now`.
    #[must_use]
    pub fn new_grant(&self, sha256: Sha256, now: Timestamp) -> GrantRecord {
        match &self.further {
            Some(link) => link.new_grant(&self.transfer, sha256, now),
            None => self.transfer.new_grant(sha256, now),
        }
    }

    /// Returns the prefix of the grants that the link has while it is unlimited.
    #[must_use]
    pub fn grants_prefix(&self) -> Prefix {
        match &self.further {
            Some(link) => StorageKey::link_grants(link.link_id),
            None => StorageKey::grants(self.transfer.transfer_id),
        }
    }

    /// Returns the key of a grant that the link has while it is unlimited.
    #[must_use]
    pub fn grant_key(&self, sha256: &Sha256) -> StorageKey {
        self.grants_prefix().object(sha256)
    }
}
