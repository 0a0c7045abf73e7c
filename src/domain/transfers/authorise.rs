//! Authorisation of downloads by access proofs and grants.

use super::Transfers;
use crate::domain::audit::RequestScope;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::limits::failed_attempts::Attempt;
use crate::domain::store::{StorageKey, read};
use crate::domain::transfer::{GrantRecord, Transfer};

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
    /// [`Error::GrantInvalid`]; errors of [`Transfer::check_downloadable`].
    pub(super) async fn authorise(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
        unknown: UnknownGrant,
    ) -> Result<DownloadPermission, Error> {
        let now = self.now();
        let known = match grant {
            Some(grant) => self.find_grant(transfer, grant).await?,
            None => None,
        };
        let live = known.filter(|known| known.expires_at > now);
        if let Some(live) = live {
            transfer.check_downloadable(now, true)?;
            return Ok(DownloadPermission::ByGrant(live));
        }
        if known.is_none() && transfer.access_sha256.is_some() {
            transfer.check_downloadable(now, false)?;
        }
        self.check_proof(scope, transfer, proof)?;
        match (known, grant) {
            (Some(_), _) => Err(Error::GrantExpired),
            (None, Some(_)) if unknown == UnknownGrant::Rejected => Err(Error::GrantInvalid),
            (None, _) => {
                transfer.check_downloadable(now, false)?;
                Ok(DownloadPermission::Uncounted)
            }
        }
    }

    /// Returns the info block of a transfer that can be downloaded.
    ///
    /// Only to a client with the access proof, if the transfer requires one.
    ///
    /// # Errors
    /// [`Error::AccessInvalid`]; [`Error::RateLimited`] after too many wrong proofs.
    pub fn info(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        proof: Option<&AccessProof>,
    ) -> Result<Option<SealedInfo>, Error> {
        let is_secret = transfer.access_sha256.is_some() && proof.is_none();
        if is_secret || transfer.check_downloadable(self.now(), false).is_err() {
            return Ok(None);
        }
        self.check_proof(scope, transfer, proof)?;
        Ok(transfer.info.clone())
    }

    /// Checks the access proof, if the transfer requires a proof.
    ///
    /// # Errors
    /// [`Error::AccessRequired`], [`Error::AccessInvalid`]; [`Error::RateLimited`] after too many wrong proofs.
    pub(super) fn check_proof(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        proof: Option<&AccessProof>,
    ) -> Result<(), Error> {
        let Some(digest) = &transfer.access_sha256 else { return Ok(()) };
        let proof = proof.ok_or(Error::AccessRequired)?;
        let verify = || if proof.matches(digest) { Attempt::Correct } else { Attempt::Wrong };
        if !transfer.access_from_passphrase {
            // Nobody guesses 256 random bits, and without a limit, nobody can exhaust it for others.
            return if verify() == Attempt::Correct { Ok(()) } else { Err(Error::AccessInvalid) };
        }
        let key = (transfer.transfer_id, scope.request().network_key);
        match self.0.failed_proofs.check(key, self.now(), verify)? {
            Attempt::Correct => Ok(()),
            Attempt::Wrong | Attempt::Missing => Err(Error::AccessInvalid),
        }
    }

    /// Reads the record of a grant of this transfer.
    pub(super) async fn find_grant(&self, transfer: &Transfer, grant: &Grant) -> Result<Option<GrantRecord>, Error> {
        let digest = grant.digest();
        if transfer.max_downloads.is_some() {
            return Ok(transfer.find_grant(&digest));
        }
        if let Some(grant) = self.0.unstored_grants.find(transfer.transfer_id, digest) {
            return Ok(Some(grant));
        }
        let key = StorageKey::grant(transfer.transfer_id, &digest);
        Ok(read::<GrantRecord>(self.store(), &key).await?.map(|found| found.value))
    }
}
