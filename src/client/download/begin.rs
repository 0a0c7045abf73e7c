//! Begins a download: checks the key, reads the description, and has the server count it.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::error::access_error;
use super::grant_file::SealedDescription;
use super::{Download, DownloadError, GrantFile, SenderOptions, decryption_error};
use crate::client::decrypt::{DecryptError, Decryption, SignatureCheck};
use crate::client::{Api, Progress, RetryPolicy};
use crate::domain::crypto::info::ContentInfo;
use crate::domain::crypto::key::{LinkSecret, PayloadKey};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::crypto::sealed::Layout;
use crate::domain::crypto::sealed_signature::SenderSignature;
use crate::domain::error::ErrorCode;
use crate::domain::people::sender_signature::{RejectedSignature, claimed_sender};
use crate::domain::wire::{DownloadResponse, TransferStatus};

/// Download that the server has counted, ready to receive bytes.
pub(super) struct StartedDownload {
    pub(super) counted: GrantedDownload,
    /// Byte of the payload at which to continue.
    pub(super) offset: u64,
}

/// Download that the server has counted.
pub(super) struct GrantedDownload {
    pub(super) grant: Grant,
    pub(super) proof: Option<AccessProof>,
    pub(super) info: Option<ContentInfo>,
    pub(super) response: DownloadResponse,
    pub(super) layout: Layout,
    pub(super) retry: RetryPolicy,
}

/// Starts the download at the server, which counts the download, and loads the partial download.
pub(super) async fn start(
    api: &Api,
    download: Download,
    grant_file: &GrantFile,
    retry: RetryPolicy,
    progress: &Arc<dyn Progress>,
) -> Result<(StartedDownload, Decryption), DownloadError> {
    let Download { status, secret, choose, resume, max_size, sender, .. } = download;
    let (described, key) = describe(api, &status, &secret, grant_file, (retry, progress)).await?;
    if let Some((info, limit)) = described.info.as_ref().zip(max_size)
        && info.size > limit
    {
        return Err(DownloadError::TooLarge { size: info.size, limit });
    }
    sender.required.check(described.signature.as_ref())?;
    let (info, signature) = (described.sealed.info.clone(), described.signature.clone());
    let SenderOptions { base_url, keys, opener, .. } = sender;
    let counted = described.count(api, &status, grant_file, progress).await?;
    let layout = counted.layout;
    let check = SignatureCheck {
        base_url,
        key: key.clone(),
        sealed_bytes: layout.sealed_size(),
        info,
        keys,
        opener,
        signature,
    };
    let begin = {
        let (location, hashes) = (grant_file.part_record(), check.signature.is_some());
        move || {
            let (decryption, offset) = match location {
                Some(location) if resume => Decryption::resume(key, layout, choose, location, hashes)?,
                Some(location) => (Decryption::of_layout(key, layout, choose).with_record_at(layout, location), 0),
                None => (Decryption::of_layout(key, layout, choose), 0),
            };
            Ok((decryption.checked(check)?, offset))
        }
    };
    let decrypting = spawn_blocking(begin).await.expect("decryption does not panic");
    let (decryption, offset) = decrypting.map_err(|error| decryption_error(error, grant_file, &counted.response))?;
    Ok((StartedDownload { counted, offset }, decryption))
}

/// Transfer that is not counted yet, with the sender's description.
pub(super) struct DescribedTransfer {
    pub(super) proof: Option<AccessProof>,
    pub(super) info: Option<ContentInfo>,
    /// The signature of the sender, which is not verified.
    pub(super) signature: Option<SenderSignature>,
    /// Encrypted description.
    sealed: SealedDescription,
    /// Grant of an earlier attempt.
    earlier: Option<Grant>,
    pub(super) retry: RetryPolicy,
}

/// Checks the secret of the link, and decrypts the sender's description; returns the payload key too. Counts no download.
pub(super) async fn describe(
    api: &Api,
    status: &TransferStatus,
    secret: &LinkSecret,
    grant_file: &GrantFile,
    (mut retry, progress): (RetryPolicy, &Arc<dyn Progress>),
) -> Result<(DescribedTransfer, PayloadKey), DownloadError> {
    let id = status.transfer_id;
    let proof = status.access_proof.then(|| secret.access_proof());
    let (earlier, saved) = grant_file.load().map(|saved| (saved.grant, saved.description)).unzip();
    let sealed = |status: &TransferStatus| SealedDescription {
        wrapped_key: status.wrapped_key.clone(),
        info: status.info.clone(),
        signature: status.signature.clone(),
    };
    let sealed = match (&proof, &earlier) {
        // A wrong key must not use up a download. The server has already accepted the proof of a further link.
        (Some(proof), None) if status.wrapped_key.is_none() => {
            sealed(&retry.call(&**progress, || api.status_with_info(id, proof)).await.map_err(access_error)?)
        }
        _ => {
            let saved = saved.unwrap_or_default();
            let given = match &proof {
                // An earlier attempt may have got a part only. At its limit, the server gives nothing again.
                Some(proof) if saved.info.is_none() || saved.signature.is_none() => {
                    let again = retry.call(&**progress, || api.status_with_info(id, proof)).await;
                    again.as_ref().map_or_else(|_| sealed(status), &sealed)
                }
                _ => sealed(status),
            };
            SealedDescription {
                wrapped_key: given.wrapped_key.or(saved.wrapped_key),
                info: given.info.or(saved.info),
                signature: given.signature.or(saved.signature),
            }
        }
    };
    let key = secret.payload_key(id.into(), sealed.wrapped_key.as_ref())?;
    let info = sealed.info.as_ref().and_then(|info| info.open(&key).ok());
    if let Some(info) = &info {
        progress.described(info);
    }
    let signature = sealed.signature.as_ref().map(|signature| signature.open(&key)).transpose();
    let signature = signature.map_err(|_| DecryptError::from(RejectedSignature::Damaged))?;
    if let Some(signature) = &signature {
        progress.claimed(&claimed_sender(signature).map_err(DecryptError::from)?);
    }
    Ok((DescribedTransfer { proof, info, signature, sealed, earlier, retry }, key))
}

impl DescribedTransfer {
    /// Starts the download at the server, which counts it unless an earlier attempt was counted.
    pub(super) async fn count(
        self,
        api: &Api,
        status: &TransferStatus,
        grant_file: &GrantFile,
        progress: &Arc<dyn Progress>,
    ) -> Result<GrantedDownload, DownloadError> {
        let Self { proof, info, sealed, earlier, mut retry, .. } = self;
        let id = status.transfer_id;
        let mut grant = earlier.unwrap_or_else(Grant::random);
        // Saves the grant before the server counts the download. If saving fails, only a retry would count as another
        // download.
        let _ = grant_file.save(&grant, &sealed);
        let mut response = retry.call(&**progress, || api.begin_download(id, &grant, proof.as_ref())).await;
        if response.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::GrantExpired)) {
            grant = Grant::random();
            let _ = grant_file.save(&grant, &sealed);
            response = retry.call(&**progress, || api.begin_download(id, &grant, proof.as_ref())).await;
        }
        let response = response.map_err(access_error).inspect_err(|error| {
            if error.is_final() {
                grant_file.forget();
            }
        })?;
        retry.reset();
        // The size that was compared with limits and free space.
        if response.size_bytes != status.size_bytes {
            return Err(DownloadError::SizeChanged { expected: status.size_bytes, reported: response.size_bytes });
        }
        let layout = Layout::of_sealed(response.size_bytes)?;
        Ok(GrantedDownload { grant, proof, info, response, layout, retry })
    }
}
