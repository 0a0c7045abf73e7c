//! Downloads: access, count and payload.

use std::ops::Range;

use super::authorise::{DownloadPermission, UnknownGrant};
use super::{DownloadUrl, Transfers};
use crate::domain::audit::{ChangeResult, RequestScope};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::store::{PayloadStream, StoreError};
use crate::domain::transfer::{GrantRecord, ResolvedLink};

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
        link: &ResolvedLink,
        proof: Option<&AccessProof>,
        grant: Option<Grant>,
    ) -> Result<CreatedDownload, Error> {
        let permission = self.authorise(scope, link, proof, grant.as_ref(), UnknownGrant::CountsDownload).await?;
        let grant = grant.unwrap_or_else(Grant::random);
        let record = match permission {
            DownloadPermission::ByGrant(record) => record,
            DownloadPermission::Uncounted => {
                // Signing the download URL, which may fail, decides the response.
                let signs = self.store().presigner().is_some();
                let result = if signs { ChangeResult::Undetermined } else { ChangeResult::Done };
                self.count_download(scope, link, &grant, result).await?
            }
        };
        let url = self.download_url(link, &record).await?;
        Ok(CreatedDownload { grant, record, url })
    }

    /// Checks whether a client may download, and counts nothing; works in any mode.
    ///
    /// # Errors
    /// [`Error::AccessRequired`], [`Error::AccessInvalid`], [`Error::RateLimited`], [`Error::GrantExpired`],
    /// [`Error::GrantInvalid`]; errors of [`LinkAt::check_downloadable`](crate::domain::transfer::LinkAt::check_downloadable).
    pub async fn check_download(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
    ) -> Result<(), Error> {
        self.authorise(scope, link, proof, grant, UnknownGrant::Rejected).await.map(drop)
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
        link: &ResolvedLink,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
        range: Option<Range<u64>>,
    ) -> Result<Option<PayloadDownload>, Error> {
        let permission = self.authorise(scope, link, proof, grant, UnknownGrant::Rejected).await?;
        self.check_bytes_allowed()?;
        // Only a response with payload bytes counts as a download.
        let Some(range) = range else { return Ok(None) };
        // Opens the payload before the download is counted: a failed read must not use up the download limit.
        let payload = self.open(link, range.clone()).await?;
        let new_grant = match permission {
            DownloadPermission::ByGrant(_) => None,
            DownloadPermission::Uncounted => {
                let grant = Grant::random();
                // The size of the response is known when its body ends.
                self.count_download(scope, link, &grant, ChangeResult::Undetermined).await?;
                Some(grant)
            }
        };
        Ok(Some(PayloadDownload { range, payload, new_grant }))
    }

    /// Opens a range of a payload for an authorised client.
    pub(super) async fn open(&self, link: &ResolvedLink, range: Range<u64>) -> Result<PayloadStream, Error> {
        match self.store().read(link.transfer.payload_id(), range).await {
            // The payload was removed after the authorisation: report the cause.
            Err(error @ StoreError::NoPayload) => {
                self.reread_link(link).await?.at(self.now()).check_downloadable(true)?;
                Err(error.into())
            }
            other => Ok(other?),
        }
    }
}
