//! Authorisation of downloads by access proofs and grants.

use super::Transfers;
use crate::domain::audit::RequestScope;
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::limits::failed_attempts::Attempt;
use crate::domain::people::recipient_keys::KeysBlob;
use crate::domain::store::read;
use crate::domain::transfer::{GrantRecord, ResolvedLink};
use crate::domain::wire::{LinkStatus, RedactedStatus, TransferStatus};

/// Treatment of an unknown grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnknownGrant {
    /// The client chose the grant for a new download, which is counted next.
    CountsDownload,
    /// The grant is an error or a guess, and is rejected.
    Rejected,
}

/// Permission to download.
#[derive(Clone, Copy, Debug)]
pub(super) enum DownloadPermission {
    /// By a grant: the download is already counted.
    ByGrant(GrantRecord),
    /// By an access proof, or without a proof if not required: sending the payload counts a download.
    Uncounted,
}

impl Transfers {
    /// Authorises a download in any mode: by a grant, else by the access proof.
    ///
    /// The state is checked before a proof: wrong proofs for a transfer that serves nobody are not counted.
    ///
    /// A valid grant replaces the access proof, and still works at the download limit, but not after expiry
    /// or deletion.
    ///
    /// # Errors
    /// [`Error::AccessRequired`], [`Error::AccessInvalid`], [`Error::RateLimited`], [`Error::GrantExpired`],
    /// [`Error::GrantInvalid`]; errors of [`LinkAt::check_downloadable`](crate::domain::transfer::LinkAt::check_downloadable).
    pub(super) async fn authorise(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
        unknown: UnknownGrant,
    ) -> Result<DownloadPermission, Error> {
        let now = self.now();
        let known = match grant {
            Some(grant) => self.find_grant(link, grant).await?,
            None => None,
        };
        let live = known.filter(|known| known.expires_at > now);
        if let Some(live) = live {
            link.at(now).check_downloadable(true)?;
            return Ok(DownloadPermission::ByGrant(live));
        }
        if known.is_none() && link.record().access_sha256.is_some() {
            link.at(now).check_downloadable(false)?;
        }
        self.check_proof(scope, link, proof)?;
        match (known, grant) {
            (Some(_), _) => Err(Error::GrantExpired),
            (None, Some(_)) if unknown == UnknownGrant::Rejected => Err(Error::GrantInvalid),
            (None, _) => {
                link.at(now).check_downloadable(false)?;
                Ok(DownloadPermission::Uncounted)
            }
        }
    }

    /// Returns the status of a link, with info block, signature and wrapped key while it can be downloaded.
    ///
    /// These only to a client with the access proof, if the link requires one. Without the proof, the status of a further
    /// link is redacted.
    ///
    /// # Errors
    /// [`Error::AccessInvalid`]; [`Error::RateLimited`] after too many wrong proofs.
    pub fn status(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        proof: Option<&AccessProof>,
    ) -> Result<LinkStatus, Error> {
        let (now, mode) = (self.now(), self.mode_of(link));
        let is_secret = link.record().access_sha256.is_some() && proof.is_none();
        if is_secret && let Some(transfer_id) = link.further_id() {
            let status = link.at(now).status();
            return Ok(LinkStatus::Redacted(RedactedStatus { transfer_id, status, access_proof: true, mode }));
        }
        let mut status = TransferStatus::of_link(link, mode, now);
        let is_downloadable = link.at(now).check_downloadable(false).is_ok();
        // Wrong proofs for an own link that serves nobody are not counted.
        if !is_secret && (is_downloadable || link.further.is_some()) {
            self.check_proof(scope, link, proof)?;
        }
        if !is_secret && is_downloadable {
            status.info.clone_from(&link.transfer.info);
            status.signature.clone_from(&link.transfer.signature);
            status.wrapped_key = link.wrapped_key();
        }
        Ok(LinkStatus::Full(Box::new(status)))
    }

    /// Returns the payload key that the sender has wrapped for recipients. Needs only the id, and counts nothing.
    ///
    /// A further link has no such keys: what is wrapped opens the own link.
    ///
    /// # Errors
    /// [`Error::NoKeys`]; errors of [`LinkAt::check_downloadable`](crate::domain::transfer::LinkAt::check_downloadable), except for a download limit that is reached.
    pub fn wrapped_keys(&self, link: &ResolvedLink) -> Result<KeysBlob, Error> {
        // Clients whose download is counted may need the key again to resume it.
        link.at(self.now()).check_downloadable(true)?;
        let keys = if link.further.is_some() { None } else { link.transfer.keys.clone() };
        keys.ok_or(Error::NoKeys)
    }

    /// Checks the access proof, if the transfer requires a proof.
    ///
    /// # Errors
    /// [`Error::AccessRequired`], [`Error::AccessInvalid`]; [`Error::RateLimited`] after too many wrong proofs.
    pub fn check_proof(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        proof: Option<&AccessProof>,
    ) -> Result<(), Error> {
        let Some(digest) = &link.record().access_sha256 else { return Ok(()) };
        let proof = proof.ok_or(Error::AccessRequired)?;
        let verify = || if proof.matches(digest) { Attempt::Correct } else { Attempt::Wrong };
        if !link.record().access_from_passphrase {
            // Nobody guesses 256 random bits, and without a limit, nobody can exhaust it for others.
            return if verify() == Attempt::Correct { Ok(()) } else { Err(Error::AccessInvalid) };
        }
        let key = (link.id(), scope.request().network_key);
        match self.0.failed_proofs.check(key, self.now(), verify)? {
            Attempt::Correct => Ok(()),
            Attempt::Wrong | Attempt::Missing => Err(Error::AccessInvalid),
        }
    }

    /// Reads the record of a grant of this link.
    pub(super) async fn find_grant(&self, link: &ResolvedLink, grant: &Grant) -> Result<Option<GrantRecord>, Error> {
        let digest = grant.digest();
        if let Some(grant) =
            link.record().find_grant(&digest).or_else(|| self.0.unstored_grants.find(link.id(), digest))
        {
            return Ok(Some(grant));
        }
        // The objects of a link that got a limit are gathered: one that is not in the record was never counted.
        if link.record().max_downloads.is_some() {
            return Ok(None);
        }
        Ok(read::<GrantRecord>(self.store(), &link.grant_key(&digest)).await?.map(|found| found.value))
    }
}
