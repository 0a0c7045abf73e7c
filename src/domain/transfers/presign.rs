//! Letting clients move payloads without this service: who may, for how long, and what is remembered of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Transfers;
use crate::domain::audit::{Answer, RequestScope, keyed};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::store::{Commit, Presigner, SignedRequest, Swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{GrantRecord, PartPlan, Transfer, UploadKind};
use crate::domain::wire::{Flow, UploadInstruction, UploadPart, UploadRequest};

/// How long an upload URL works.
const UPLOAD_LIFETIME: Duration = Duration::from_hours(1);
/// How long a download URL works, at most.
const DOWNLOAD_LIFETIME: Duration = Duration::from_mins(5);
/// The most URLs in one answer.
const MOST_URLS: u32 = 100;

/// Where a payload is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadUrl {
    /// Which way its bytes go.
    pub flow: Flow,
    /// Where to GET it; relative to the service's root for [`Flow::Bytes`].
    pub url: String,
    /// Until when that works.
    pub expires_at: Timestamp,
    /// Where this service hands it out all the same.
    pub fallback_url: Option<String>,
}

impl Transfers {
    /// Lets the payload of a new transfer go to the store without this service, where that can be.
    pub(super) fn offer_presigned(&self, transfer: &mut Transfer, now: Timestamp) -> Result<(), Error> {
        if self.store().presigner().is_some() {
            transfer.upload = Some(UploadKind::presigned(transfer.size_bytes));
            transfer.note_upload_urls(now, UPLOAD_LIFETIME)?;
        }
        Ok(())
    }

    /// Tells how to send the payload of a transfer: through this service, or by the first URLs of the store.
    pub async fn upload_instruction(&self, transfer: &Transfer) -> Result<UploadInstruction, Error> {
        let bytes = UploadInstruction::Bytes { url: upload_path(transfer.transfer_id) };
        match (self.store().presigner(), transfer.upload_flow()) {
            // One that is complete takes no bytes, and says so there.
            (Some(presigner), Flow::Presigned) if transfer.check_pending(self.now()).is_ok() => {
                self.note_upload_urls(transfer, None).await?;
                self.sign_upload(presigner, transfer, &[]).await
            }
            _ => Ok(bytes),
        }
    }

    /// Signs upload URLs anew: of the parts of these numbers, or of the first ones for none at all.
    ///
    /// # Errors
    /// [`Error::WrongMode`] where the payload comes through this service; [`Error::InvalidRequest`] for numbers of no
    /// part, twice the same, or too many.
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
        self.note_upload_urls(transfer, Some(scope)).await?;
        self.sign_upload(presigner, transfer, numbers).await
    }

    /// Remembers until when URLs may put bytes into the store: what is removed before is removed once more after.
    async fn note_upload_urls(&self, transfer: &Transfer, scope: Option<&RequestScope>) -> Result<(), Error> {
        let now = self.now();
        if !transfer.clone().note_upload_urls(now, UPLOAD_LIFETIME)? {
            return Ok(());
        }
        let id = transfer.transfer_id;
        let changed = self
            .change(id, |mut transfer| {
                if transfer.upload_flow() == Flow::Bytes {
                    return Err(Error::WrongMode);
                }
                if !transfer.note_upload_urls(now, UPLOAD_LIFETIME)? {
                    return Ok(Swap::Keep(false));
                }
                let records = scope.map(|scope| scope.records_of_change(now, ANSWER, &[])).unwrap_or_default();
                let with = Commit { records: keyed(id, &records), ..Commit::default() };
                Ok(Swap::write(transfer, with, true))
            })
            .await?;
        if let (true, Some(scope)) = (changed, scope) {
            scope.note_committed(ANSWER);
        }
        Ok(())
    }

    async fn sign_upload(
        &self,
        presigner: &dyn Presigner,
        transfer: &Transfer,
        numbers: &[u32],
    ) -> Result<UploadInstruction, Error> {
        let id = transfer.transfer_id;
        let fallback_url = self.rules().bytes_fallback.then(|| upload_path(id));
        let Some(plan) = PartPlan::of(transfer.size_bytes) else {
            let signed = presigner.put(id, transfer.size_bytes, UPLOAD_LIFETIME).await?;
            let url_expires_at = signed.expires_at;
            return Ok(UploadInstruction::Single { request: request(signed), url_expires_at, fallback_url });
        };
        let first: Vec<u32>;
        let numbers = if numbers.is_empty() {
            first = (1..=plan.count().min(MOST_URLS)).collect();
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

    /// Where the holder of a grant fetches the payload.
    pub async fn download_url(&self, transfer: &Transfer, grant: &GrantRecord) -> Result<DownloadUrl, Error> {
        let path = download_path(transfer.transfer_id);
        let Some(presigner) = self.store().presigner() else {
            let expires_at = grant.expires_at;
            return Ok(DownloadUrl { flow: Flow::Bytes, url: path, expires_at, fallback_url: None });
        };
        let left = grant.expires_at.min(transfer.expires_at).since(self.now());
        let signed = presigner.get(transfer.transfer_id, DOWNLOAD_LIFETIME.min(left)).await?;
        Ok(DownloadUrl {
            flow: Flow::Presigned,
            url: signed.url,
            expires_at: signed.expires_at,
            fallback_url: self.rules().bytes_fallback.then_some(path),
        })
    }

    /// Refuses payload bytes through this service where they shall go between client and store.
    pub fn check_bytes_allowed(&self) -> Result<(), Error> {
        let allowed = self.store().presigner().is_none() || self.rules().bytes_fallback;
        if allowed { Ok(()) } else { Err(Error::WrongMode) }
    }

    /// Fixes that a payload comes through this service, where it could also have gone to the store: before its first
    /// byte, and only if nothing has arrived there.
    pub(super) async fn fix_bytes(&self, transfer: &Transfer) -> Result<(), Error> {
        self.check_bytes_allowed()?;
        if transfer.upload_flow() == Flow::Bytes {
            return Ok(());
        }
        let id = transfer.transfer_id;
        if self.store().received(id).await? > 0 {
            return Err(Error::WrongMode);
        }
        let now = self.now();
        self.change(id, |mut transfer| {
            transfer.note_bytes(now)?;
            Ok(Swap::write(transfer, Commit::default(), ()))
        })
        .await
    }
}

/// The records of a change that is not the end of the request: signing may still fail.
const ANSWER: Answer = Answer::Later;

fn check_numbers(transfer: &Transfer, numbers: &[u32]) -> Result<(), Error> {
    let refuse = |text: String| Err(Error::InvalidRequest(text));
    let count = PartPlan::of(transfer.size_bytes).map_or(0, |plan| plan.count());
    if numbers.len() > MOST_URLS as usize {
        return refuse(format!("numbers: at most {MOST_URLS} at once"));
    }
    if let Some(number) = numbers.iter().find(|number| !(1..=count).contains(number)) {
        return refuse(format!("numbers: there is no part {number}"));
    }
    if BTreeSet::from_iter(numbers).len() < numbers.len() {
        return refuse("numbers: each may stand there once".to_owned());
    }
    Ok(())
}

fn request(signed: SignedRequest) -> UploadRequest {
    UploadRequest { method: signed.method, url: signed.url, headers: signed.headers }
}

fn upload_path(id: TransferId) -> String {
    format!("/transfers/id/{id}/payload/upload-bytes")
}

fn download_path(id: TransferId) -> String {
    format!("/transfers/id/{id}/payload/download-bytes")
}
