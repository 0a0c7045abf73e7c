//! Downloads: access, count and payload.

use std::ops::Range;

use super::authorise::{DownloadPermission, UnknownGrant};
use super::counts::NewDownloads;
use super::{DownloadUrl, Transfers, status_change};
use crate::domain::audit::{ChangeResult, EventKind, RequestScope};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::notification::NotificationKind;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Commit, PayloadStream, StorageKey, StoreError, Swap, create};
use crate::domain::transfer::{GrantRecord, Status, Transfer};

/// Bytes that a grant of an unlimited transfer takes in the store, with its key and index entry.
const GRANT_BYTES: u64 = 400;

/// Counted download, with the location of the payload.
pub struct CreatedDownload {
    /// Grant of the download.
    pub grant: Grant,
    /// Record of the grant.
    pub record: GrantRecord,
    /// Location of the payload.
    pub url: DownloadUrl,
}

/// Counted download of payload bytes through this service.
pub struct PayloadDownload {
    /// Range of the bytes in the payload.
    pub range: Range<u64>,
    /// Stream of the bytes.
    pub payload: PayloadStream,
    /// Grant of a download that was requested without a grant.
    pub new_grant: Option<Grant>,
}

impl Transfers {
    /// Counts a download under `grant`, or under a new grant, and returns the location of the payload.
    ///
    /// A repeated call with the same grant counts nothing.
    ///
    /// # Errors
    /// Errors of [`Transfers::check_download`] except [`Error::GrantInvalid`]; [`Error::TransferExhausted`],
    /// [`Error::RateLimited`].
    pub async fn create_download(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        proof: Option<&AccessProof>,
        grant: Option<Grant>,
    ) -> Result<CreatedDownload, Error> {
        let permission = self.authorise(scope, transfer, proof, grant.as_ref(), UnknownGrant::CountsDownload).await?;
        let grant = grant.unwrap_or_else(Grant::random);
        let record = match permission {
            DownloadPermission::ByGrant(record) => record,
            DownloadPermission::Uncounted => {
                // Signing the download URL, which may fail, decides the response.
                let signs = self.store().presigner().is_some();
                let result = if signs { ChangeResult::Undetermined } else { ChangeResult::Done };
                self.count_download(scope, transfer, &grant, result).await?
            }
        };
        let url = self.download_url(transfer, &record).await?;
        Ok(CreatedDownload { grant, record, url })
    }

    /// Checks whether a client may download, and counts nothing; works in any mode.
    ///
    /// # Errors
    /// [`Error::AccessRequired`], [`Error::AccessInvalid`], [`Error::RateLimited`], [`Error::GrantExpired`],
    /// [`Error::GrantInvalid`]; errors of [`Transfer::check_downloadable`].
    pub async fn check_download(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
    ) -> Result<(), Error> {
        self.authorise(scope, transfer, proof, grant, UnknownGrant::Rejected).await.map(drop)
    }

    /// Opens a range of a payload, and counts a download unless `grant` has counted it.
    ///
    /// Without a range, only checks the request, and returns `None`.
    ///
    /// # Errors
    /// Errors of [`Transfers::check_download`]; [`Error::WrongMode`] if clients must use presigned URLs;
    /// [`Error::TransferExhausted`], [`Error::RateLimited`].
    pub async fn download(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
        range: Option<Range<u64>>,
    ) -> Result<Option<PayloadDownload>, Error> {
        let permission = self.authorise(scope, transfer, proof, grant, UnknownGrant::Rejected).await?;
        self.check_bytes_allowed()?;
        // Only a response with payload bytes counts as a download.
        let Some(range) = range else { return Ok(None) };
        // Opens the payload before the download is counted: a failed read must not use up the download limit.
        let payload = self.open(scope, transfer, range.clone()).await?;
        let new_grant = match permission {
            DownloadPermission::ByGrant(_) => None,
            DownloadPermission::Uncounted => {
                let grant = Grant::random();
                // The size of the response is known when its body ends.
                self.count_download(scope, transfer, &grant, ChangeResult::Undetermined).await?;
                Some(grant)
            }
        };
        Ok(Some(PayloadDownload { range, payload, new_grant }))
    }

    /// Counts a download under `grant` and persists the count. A repeated call with the same grant counts nothing.
    ///
    /// # Errors
    /// [`Error::TransferExhausted`] if the download limit is reached, even under concurrent requests;
    /// [`Error::RateLimited`] for too many new downloads of an unlimited transfer from one network.
    pub(super) async fn count_download(
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
            let mut kinds = Vec::new();
            if transfer.download_count() == 1 {
                kinds.push(NotificationKind::TransferFirstDownload);
            }
            kinds.push(NotificationKind::TransferDownloaded);
            let mut counter_delta = CounterDelta::on(now.day());
            let mut schedule = Vec::new();
            if granted.exhausted {
                events.push(EventKind::TransferExhausted);
                kinds.push(NotificationKind::TransferExhausted);
                counter_delta = status_change(now, Status::Completed, Status::Exhausted);
                schedule.push(StorageKey::schedule_entry(
                    transfer.next_sweep_at(now, self.settings().retention.changes()),
                    id,
                ));
            }
            counter_delta.downloads = 1;
            let mut with = Commit { schedule, counter_delta: Some(counter_delta), ..Commit::default() };
            transfer.notify(&mut with, &self.0.ids, now, &kinds);
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
        self.0.download_rate_limit.try_count((id, scope.request().network_key), now)?;
        let record = transfer.new_grant(grant.digest(), now);
        let counter_delta = CounterDelta { downloads: 1, ..CounterDelta::on(now.day()) };
        let mut with = Commit { counter_delta: Some(counter_delta), ..Commit::default() };
        // The count of the transfer, and with it the first download, follows within a second.
        transfer.clone().notify(&mut with, &self.0.ids, now, &[NotificationKind::TransferDownloaded]);
        let mut with = scope.read_commit(id, now, result, &[EventKind::DownloadGranted], with);
        if !self.0.audit.admit(scope, id, &mut with, GRANT_BYTES) {
            return Ok(self.grant_unstored(scope, id, record));
        }
        match create(self.store(), StorageKey::grant(id, &record.sha256), &record, with).await {
            Ok(()) => {
                self.0.counts.add(id, NewDownloads { stored: 1, unstored: 0 });
                Ok(record)
            }
            // A concurrent request with the same grant was first.
            Err(StoreError::Conflict) => self.find_grant(transfer, grant).await?.ok_or(Error::GrantInvalid),
            Err(StoreError::Full) => Ok(self.grant_unstored(scope, id, record)),
            Err(error) => Err(error.into()),
        }
    }

    /// Grants a download of an unlimited transfer without storing the grant.
    ///
    /// The budget of records is used up, or the store is full.
    fn grant_unstored(&self, scope: &RequestScope, id: TransferId, record: GrantRecord) -> GrantRecord {
        if self.0.unstored_grants.add(id, record, scope.request().network_key) {
            self.0.counts.add(id, NewDownloads { stored: 0, unstored: 1 });
        }
        record
    }

    /// Opens a range of a payload for an authorised client.
    pub(super) async fn open(
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
