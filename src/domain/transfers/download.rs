//! Authorisation and counting of downloads.

use std::ops::Range;

use super::{Transfers, status_change};
use crate::domain::audit::{ChangeResult, EventKind, RequestScope};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::limits::failed_attempts::Attempt;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, PayloadStream, StorageKey, StoreError, Swap, create, read};
use crate::domain::transfer::{GrantRecord, Status, Transfer};

/// Treatment of an unknown grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownGrant {
    /// The client chose the grant for a new download, which is counted next.
    CountsDownload,
    /// The grant is an error or a guess, and is rejected.
    Rejected,
}

/// Permission to download.
#[derive(Clone, Copy, Debug)]
pub enum DownloadPermission {
    /// By a grant: the download is already counted.
    ByGrant(GrantRecord),
    /// By an access proof, or without a proof if not required: sending the payload counts a download.
    Uncounted,
}

impl Transfers {
    /// Authorises a download in any mode: checks access proof, grant and state, in this order.
    ///
    /// A valid grant replaces the access proof, and still works at the download limit, but not after expiry
    /// or deletion.
    ///
    /// # Errors
    /// [`Error::AccessRequired`], [`Error::AccessInvalid`], [`Error::RateLimited`], [`Error::GrantExpired`],
    /// [`Error::GrantInvalid`]; as [`Transfer::check_downloadable`].
    pub async fn authorise(
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
        if live.is_none() {
            self.check_proof(scope, transfer, proof)?;
        }
        match (live, known, grant) {
            (Some(live), ..) => {
                transfer.check_downloadable(now, true)?;
                Ok(DownloadPermission::ByGrant(live))
            }
            (None, Some(_), _) => Err(Error::GrantExpired),
            (None, None, Some(_)) if unknown == UnknownGrant::Rejected => Err(Error::GrantInvalid),
            (None, None, _) => {
                transfer.check_downloadable(now, false)?;
                Ok(DownloadPermission::Uncounted)
            }
        }
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
        let key = (transfer.transfer_id, scope.asked().network_key);
        let verify = || if proof.matches(digest) { Attempt::Correct } else { Attempt::Wrong };
        match self.0.failed_proofs.check(key, self.now(), verify)? {
            Attempt::Correct => Ok(()),
            Attempt::Wrong | Attempt::Missing => Err(Error::AccessInvalid),
        }
    }

    async fn find_grant(&self, transfer: &Transfer, grant: &Grant) -> Result<Option<GrantRecord>, Error> {
        let digest = grant.digest();
        if transfer.max_downloads.is_some() {
            return Ok(transfer.find_grant(&digest));
        }
        let key = StorageKey::grant(transfer.transfer_id, &digest);
        Ok(read::<GrantRecord>(self.store(), &key).await?.map(|found| found.value))
    }

    /// Counts a download under `grant` and persists the count; a repeated call with the same grant counts nothing.
    ///
    /// # Errors
    /// [`Error::TransferExhausted`] if the download limit is reached, even under concurrent requests;
    /// [`Error::RateLimited`] for too many new downloads of an unlimited transfer from one network.
    pub async fn count(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        grant: &Grant,
        result: ChangeResult,
    ) -> Result<GrantRecord, Error> {
        if transfer.max_downloads.is_some() {
            self.count_limited(scope, transfer, grant, result).await
        } else {
            self.count_unlimited(scope, transfer, grant, result).await
        }
    }

    async fn count_limited(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        grant: &Grant,
        result: ChangeResult,
    ) -> Result<GrantRecord, Error> {
        let (id, digest) = (transfer.transfer_id, grant.digest());
        let now = self.now();
        self.change(id, |mut transfer| {
            if let Some(known) = transfer.find_grant(&digest) {
                return Ok(Swap::Keep(known));
            }
            let granted = transfer.count_download(digest, now)?;
            let mut events = vec![EventKind::DownloadGranted];
            let mut tally = CounterDelta::on(now.day());
            let mut hints = Vec::new();
            if granted.exhausted {
                events.push(EventKind::TransferExhausted);
                tally = status_change(now, Status::Completed, Status::Exhausted);
                hints.push(StorageKey::due(transfer.next_sweep_at(now, self.settings().retain_audit), id));
            }
            tally.downloads = 1;
            let with = Commit { hints, tally: Some(tally), ..Commit::default() };
            let with = scope.transfer_commit(id, now, result, &events, with);
            Ok(Swap::write(transfer, with, granted.grant))
        })
        .await
    }

    async fn count_unlimited(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        grant: &Grant,
        result: ChangeResult,
    ) -> Result<GrantRecord, Error> {
        let id = transfer.transfer_id;
        let now = self.now();
        self.0.download_rate_limit.try_count((id, scope.asked().network_key), now)?;
        let record = transfer.new_grant(grant.digest(), now);
        let tally = CounterDelta { downloads: 1, ..CounterDelta::on(now.day()) };
        let with = Commit { tally: Some(tally), ..Commit::default() };
        let with = scope.transfer_commit(id, now, result, &[EventKind::DownloadGranted], with);
        match create(self.store(), StorageKey::grant(id, &record.sha256), &record, with).await {
            Ok(()) => {
                self.0.counts.add(id, 1);
                Ok(record)
            }
            // A concurrent request with the same grant was first.
            Err(StoreError::Conflict) => self.find_grant(transfer, grant).await?.ok_or(Error::GrantInvalid),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a range of a payload for an authorised client.
    pub async fn open(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        range: Range<u64>,
    ) -> Result<PayloadStream, Error> {
        match self.store().read(transfer.transfer_id, range).await {
            // The payload was removed after the authorisation: report the cause.
            Err(error @ StoreError::NoPayload) => {
                let transfer = self.find(scope, transfer.transfer_id).await?;
                transfer.check_downloadable(self.now(), true)?;
                Err(error.into())
            }
            other => Ok(other?),
        }
    }
}
