//! Link with its transfer, as requests name it: the transfer's own link, or a further link.

use super::{FurtherLink, LinkAt, LinkRecord, Transfer};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::WrappedKey;
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

    /// Returns terms, state and counts of the link.
    #[must_use]
    pub fn record(&self) -> &LinkRecord {
        self.further.as_ref().map_or(&self.transfer.own_link, |further| &further.link)
    }

    /// Returns the link at `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> LinkAt<'_> {
        match &self.further {
            Some(further) => further.at(&self.transfer, now),
            None => self.transfer.own_link_at(now),
        }
    }

    /// Returns the creation time of the link.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.further.as_ref().map_or(self.transfer.created_at, |link| link.created_at)
    }

    /// Returns the wrapped payload key of a further link.
    #[must_use]
    pub fn wrapped_key(&self) -> Option<WrappedKey> {
        self.further.as_ref().map(|link| link.wrapped_key.clone())
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
