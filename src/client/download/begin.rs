//! Begins a download: checks the key, reads the description, and has the server count it.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::error::access_error;
use super::{Download, DownloadError, GrantFile, decryption_error};
use crate::client::decrypt::Decryption;
use crate::client::{Api, Progress, RetryPolicy};
use crate::domain::crypto::info::ContentInfo;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::crypto::sealed::Layout;
use crate::domain::error::ErrorCode;
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
    let Download { status, key, choose, resume, max_size, .. } = download;
    let described = describe(api, &status, &key, grant_file, (retry, progress)).await?;
    if let Some((info, limit)) = described.info.as_ref().zip(max_size)
        && info.size > limit
    {
        return Err(DownloadError::TooLarge { size: info.size, limit });
    }
    let counted = described.count(api, &status, grant_file, progress).await?;
    let layout = counted.layout;
    let begin = {
        let location = grant_file.part_record();
        move || match location {
            Some(location) if resume => Decryption::resume(key, layout, choose, location),
            Some(location) => Ok((Decryption::of_layout(key, layout, choose).with_record_at(layout, location), 0)),
            None => Ok((Decryption::of_layout(key, layout, choose), 0)),
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
    /// Grant of an earlier attempt.
    earlier: Option<Grant>,
    pub(super) retry: RetryPolicy,
}

/// Checks the key, and decrypts the sender's description. Counts no download.
pub(super) async fn describe(
    api: &Api,
    status: &TransferStatus,
    key: &PayloadKey,
    grant_file: &GrantFile,
    (mut retry, progress): (RetryPolicy, &Arc<dyn Progress>),
) -> Result<DescribedTransfer, DownloadError> {
    let proof = status.access_proof.then(|| AccessProof::of(key));
    let earlier = grant_file.load();
    let sealed_info = match (&proof, &earlier) {
        // A wrong key must not use up a download.
        (Some(proof), None) => {
            let ask = || api.status_with_info(status.transfer_id, proof);
            retry.call(&**progress, ask).await.map_err(access_error)?.info
        }
        _ => status.info.clone(),
    };
    let info = sealed_info.and_then(|info| info.open(key).ok());
    if let Some(info) = &info {
        progress.described(info);
    }
    Ok(DescribedTransfer { proof, info, earlier, retry })
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
        let Self { proof, info, earlier, mut retry } = self;
        let id = status.transfer_id;
        let mut grant = earlier.unwrap_or_else(Grant::random);
        // Saves the grant before the server counts the download. If saving fails, only a retry would count as another
        // download.
        let _ = grant_file.save(&grant);
        let mut response = retry.call(&**progress, || api.begin_download(id, &grant, proof.as_ref())).await;
        if response.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::GrantExpired)) {
            grant = Grant::random();
            let _ = grant_file.save(&grant);
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
