//! Presigned upload and download URLs: permissions, lifetimes, and records of issued URLs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Transfers;
use crate::domain::audit::{ChangeResult, RequestScope};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::store::{Commit, Presigner, SignedRequest, Swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{GrantRecord, PartPlan, ResolvedLink, Transfer, UploadKind};
use crate::domain::wire::{Flow, UploadInstruction, UploadPart, UploadRequest};

/// Lifetime of an upload URL.
const UPLOAD_LIFETIME: Duration = Duration::from_hours(1);
/// Maximum lifetime of a download URL.
const DOWNLOAD_LIFETIME: Duration = Duration::from_mins(5);
/// Maximum number of URLs per response.
const MAX_URLS: u32 = 100;

/// Location of a payload for download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadUrl {
    /// Whether bytes pass through this service or come directly from the payload store.
    pub flow: Flow,
    /// URL of the payload; relative to the service's base URL for [`Flow::Bytes`].
    pub url: String,
    /// Expiry time of the URL.
    pub expires_at: Timestamp,
    /// URL for downloads through this service, if allowed as a fallback.
    pub fallback_url: Option<String>,
}

impl Transfers {
    /// Selects a presigned upload for a new transfer, if the store supports presigned requests.
    pub(super) fn offer_presigned(&self, transfer: &mut Transfer, now: Timestamp) -> Result<(), Error> {
        if self.store().presigner().is_some() {
            transfer.upload = Some(UploadKind::presigned(transfer.size_bytes));
            transfer.record_upload_urls(now, UPLOAD_LIFETIME)?;
        }
        Ok(())
    }

    /// Returns how to upload the payload: through this service, or with the first presigned URLs.
    pub(super) async fn upload_instruction(&self, transfer: &Transfer) -> Result<UploadInstruction, Error> {
        let bytes = UploadInstruction::Bytes { url: upload_path(transfer.transfer_id) };
        match (self.store().presigner(), transfer.upload_flow()) {
            // If the transfer is not pending, the route in `bytes` rejects the upload and reports the reason.
            (Some(presigner), Flow::Presigned) if transfer.check_pending(self.now()).is_ok() => {
                self.record_upload_urls(transfer, None).await?;
                self.sign_upload(presigner, transfer, &[]).await
            }
            _ => Ok(bytes),
        }
    }

    /// Signs upload URLs for the parts in `numbers`, or for the first parts if `numbers` is empty.
    ///
    /// # Errors
    /// [`Error::WrongMode`] if the payload is uploaded through this service; [`Error::InvalidRequest`] for unknown,
    /// duplicate or too many part numbers; errors of [`Transfer::check_pending`].
    pub async fn create_upload_urls(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        numbers: &[u32],
    ) -> Result<UploadInstruction, Error> {
        transfer.check_pending(self.now())?;
        let presigner = self.store().presigner().ok_or(Error::WrongMode)?;
        if transfer.upload_flow() == Flow::Bytes {
            return Err(Error::WrongMode);
        }
        check_numbers(transfer, numbers)?;
        self.record_upload_urls(transfer, Some(scope)).await?;
        self.sign_upload(presigner, transfer, numbers).await
    }

    /// Records a time after which no issued upload URL is valid.
    ///
    /// A payload removed before the recorded time is removed again afterwards, since a URL may have written it anew.
    async fn record_upload_urls(&self, transfer: &Transfer, scope: Option<&RequestScope>) -> Result<(), Error> {
        let now = self.now();
        if !transfer.clone().record_upload_urls(now, UPLOAD_LIFETIME)? {
            return Ok(());
        }
        let id = transfer.transfer_id;
        self.change(id, |mut transfer| {
            if transfer.upload_flow() == Flow::Bytes {
                return Err(Error::WrongMode);
            }
            if !transfer.record_upload_urls(now, UPLOAD_LIFETIME)? {
                return Ok(Swap::Keep(()));
            }
            let with = Commit::default();
            Ok(match scope {
                // The result of the request is not known yet: signing may fail.
                Some(scope) => {
                    Swap::write(transfer, scope.transfer_commit(id, now, ChangeResult::Undetermined, &[], with), ())
                }
                None => Swap::write(transfer, with, ()),
            })
        })
        .await
    }

    async fn sign_upload(
        &self,
        presigner: &dyn Presigner,
        transfer: &Transfer,
        numbers: &[u32],
    ) -> Result<UploadInstruction, Error> {
        let id = transfer.payload_id();
        let fallback_url = self.settings().bytes_fallback.then(|| upload_path(transfer.transfer_id));
        let Some(plan) = PartPlan::of(transfer.size_bytes) else {
            let signed = presigner.put(id, transfer.size_bytes, UPLOAD_LIFETIME).await?;
            let url_expires_at = signed.expires_at;
            return Ok(UploadInstruction::Single { request: request(signed), url_expires_at, fallback_url });
        };
        let first: Vec<u32>;
        let numbers = if numbers.is_empty() {
            first = (1..=plan.count().min(MAX_URLS)).collect();
            &first
        } else {
            numbers
        };
        let signed = presigner.parts(id, plan, numbers, UPLOAD_LIFETIME).await?;
        let url_expires_at = signed.iter().map(|part| part.expires_at).min().unwrap_or(self.now());
        let part = |(number, signed)| UploadPart { number, request: request(signed) };
        Ok(UploadInstruction::Multipart {
            part_size_bytes: plan.part_size(),
            part_count: plan.count(),
            parts: numbers.iter().copied().zip(signed).map(part).collect(),
            url_expires_at,
            fallback_url,
        })
    }

    /// Returns the download URL of the payload for a client with a grant.
    pub(super) async fn download_url(&self, link: &ResolvedLink, grant: &GrantRecord) -> Result<DownloadUrl, Error> {
        let path = download_path(link.id());
        let Some(presigner) = self.store().presigner().filter(|_| !self.must_pass_through(link)) else {
            let expires_at = grant.expires_at;
            return Ok(DownloadUrl { flow: Flow::Bytes, url: path, expires_at, fallback_url: None });
        };
        let remaining = grant.expires_at.min(link.record().expires_at).since(self.now());
        let signed = presigner.get(link.transfer.payload_id(), DOWNLOAD_LIFETIME.min(remaining)).await?;
        Ok(DownloadUrl {
            flow: Flow::Presigned,
            url: signed.url,
            expires_at: signed.expires_at,
            fallback_url: self.settings().bytes_fallback.then_some(path),
        })
    }

    /// Returns whether downloads under a link pass through this service, also with presigned URLs.
    ///
    /// The payload has the id of its transfer, which must not appear under a further link.
    pub(super) fn must_pass_through(&self, link: &ResolvedLink) -> bool {
        link.further.is_some() && link.transfer.payload_id.is_none() && self.settings().bytes_fallback
    }

    /// Checks that payload bytes may pass through this service.
    ///
    /// # Errors
    /// [`Error::WrongMode`] if clients must use presigned URLs.
    pub(super) fn check_bytes_allowed(&self) -> Result<(), Error> {
        let allowed = self.store().presigner().is_none() || self.settings().bytes_fallback;
        if allowed { Ok(()) } else { Err(Error::WrongMode) }
    }

    /// Switches a presigned upload to this service, before its first byte.
    ///
    /// # Errors
    /// [`Error::WrongMode`] if bytes must not pass through this service, or if the payload store has received bytes.
    pub(super) async fn switch_to_bytes(&self, transfer: &Transfer) -> Result<(), Error> {
        self.check_bytes_allowed()?;
        if transfer.upload_flow() == Flow::Bytes {
            return Ok(());
        }
        let id = transfer.transfer_id;
        if self.store().received(transfer.payload_id()).await? > 0 {
            return Err(Error::WrongMode);
        }
        let now = self.now();
        self.change(id, |mut transfer| {
            transfer.record_bytes(now)?;
            Ok(Swap::write(transfer, Commit::default(), ()))
        })
        .await
    }
}

fn check_numbers(transfer: &Transfer, numbers: &[u32]) -> Result<(), Error> {
    let reject = |text: String| Err(Error::InvalidRequest(text));
    let count = PartPlan::of(transfer.size_bytes).map_or(0, |plan| plan.count());
    if numbers.len() > MAX_URLS as usize {
        return reject(format!("numbers must have at most {MAX_URLS} items"));
    }
    if let Some(number) = numbers.iter().find(|number| !(1..=count).contains(number)) {
        return reject(format!("numbers contains {number}, which is not a part of this upload"));
    }
    if BTreeSet::from_iter(numbers).len() < numbers.len() {
        return reject("numbers must not contain duplicates".to_owned());
    }
    Ok(())
}

fn request(signed: SignedRequest) -> UploadRequest {
    UploadRequest { method: signed.method, url: signed.url, headers: signed.headers }
}

fn upload_path(id: TransferId) -> String {
    format!("/transfers/id/{id}/payload/upload-bytes")
}

fn download_path(id: LinkId) -> String {
    format!("/transfers/id/{id}/payload/download-bytes")
}
