//! The beginning of an upload: its transfer is created, or the one of an earlier process is found again.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::driver::Already;
use super::journal::Ledger;
use super::segments::Segments;
use super::state::UploadState;
use super::unfinished::{Again, Unfinished};
use super::{LedgerError, StatePlace, Upload, UploadError, ended};
use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::key::{LinkKey, PayloadKey};
use crate::domain::crypto::proof::AccessProof;
use crate::domain::crypto::random;
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::{PartPlan, Status, UploadKind};
use crate::domain::wire::{CreateTransfer, CreatedTransfer, Flow, UploadInstruction, UploadStatus};

/// Up to this many sealed bytes the tags stay in memory.
const IN_MEMORY_BYTES: u64 = 8 * 1024 * 1024;

/// A transfer whose payload can be sent.
pub(super) struct Begun {
    pub id: TransferId,
    pub page_url: String,
    pub link_key: LinkKey,
    pub segments: Segments,
    pub ledger: Ledger,
    pub instruction: UploadInstruction,
    pub already: Already,
}

impl Begun {
    /// Goes on with what is unfinished of `upload`, or begins it.
    pub(super) async fn of(
        api: &Api,
        mut upload: Upload,
        patience: &mut RetryPolicy,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, UploadError> {
        let Some(unfinished) = upload.unfinished.take() else {
            return Self::anew(api, upload, patience, progress).await;
        };
        let id = unfinished.id;
        match patience.call(&**progress, || api.upload_status(id)).await {
            Ok(status) if matches!(status.status, Status::Pending | Status::Completed | Status::Exhausted) => {
                let again = Self::again(api, upload, *unfinished, &status, (patience, progress)).await;
                again.map_err(|error| error.or_unfinished(id))
            }
            Err(error) if error.code() != Some(ErrorCode::TransferNotFound) => {
                Err(UploadError::from(error).or_unfinished(id))
            }
            Ok(_) | Err(_) => {
                let lacks_passphrase = unfinished.needs_passphrase() && upload.passphrase.is_none();
                unfinished.remove();
                if lacks_passphrase {
                    return Err(UploadError::PassphraseNeeded);
                }
                progress.begins_anew(id);
                Self::anew(api, upload, patience, progress).await
            }
        }
    }

    /// Creates a transfer, and the file that tells of it.
    async fn anew(
        api: &Api,
        upload: Upload,
        patience: &mut RetryPolicy,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, UploadError> {
        let (expires, max_downloads) = (upload.expires, upload.max_downloads);
        let needs_proof = max_downloads.is_some() || upload.passphrase.is_some();
        let (link_key, key, segments, place) =
            spawn_blocking(move || seal_key(upload)).await.expect("deriving a key does not panic")?;
        let place = state_directory(segments.layout().sealed_size(), place)?;
        let asked = CreateTransfer {
            size_bytes: segments.layout().sealed_size(),
            expires_in_s: expires.map(|expires| expires.as_secs()),
            max_downloads,
            access_sha256: needs_proof.then(|| AccessProof::of(&key).digest()),
            idempotency_key: Some(Sha256::of(&random::bytes::<32>()).to_string()),
        };
        let created = patience.call(&**progress, || api.create(&asked)).await?;
        progress
            .step(format_args!("transfer {} is created, for {} sealed bytes", created.transfer_id, asked.size_bytes));
        let ledger = match place {
            None => Ledger::new(None),
            Some((uploads, command)) => {
                let server = api.root().to_string();
                let state = UploadState::of(command, server, &created, &segments, (&link_key, &key));
                Self::ledger(api, created.transfer_id, uploads, state, segments.layout().segments()).await?
            }
        };
        let CreatedTransfer { transfer_id: id, page_url, upload: instruction, .. } = created;
        Ok(Self { id, page_url, link_key, segments, ledger, instruction, already: Already::default() })
    }

    /// A ledger that stands in a file. Without it nothing is sent.
    async fn ledger(
        api: &Api,
        id: TransferId,
        uploads: PathBuf,
        state: UploadState,
        segments: u64,
    ) -> Result<Ledger, UploadError> {
        let create = move || state.keep(&uploads, segments);
        match spawn_blocking(create).await.expect("writing a file does not panic") {
            Ok(file) => Ok(Ledger::new(Some(file))),
            Err(error) => Err(ended(api, id, &Ledger::new(None), LedgerError::Write(error).into()).await),
        }
    }

    /// Goes on where an earlier process has stopped.
    async fn again(
        api: &Api,
        mut upload: Upload,
        unfinished: Unfinished,
        status: &UploadStatus,
        (patience, progress): (&mut RetryPolicy, &Arc<dyn Progress>),
    ) -> Result<Self, UploadError> {
        let id = unfinished.id;
        let passphrase = upload.passphrase.take();
        let source = upload.source;
        let check = move || (unfinished.check(source, passphrase.as_ref()), unfinished);
        let (checked, unfinished) = spawn_blocking(check).await.expect("sealing does not panic");
        let again = match checked {
            Ok(segments) => {
                progress
                    .step(format_args!("transfer {id} is gone on with: what was sent is what the source still holds"));
                unfinished.go_on(segments)
            }
            // Another time it may be the right one, or the disk may be read.
            Err(error) if !error.is_changed() => return Err(error),
            Err(error) => {
                unfinished.remove();
                return Err(ended(api, id, &Ledger::new(None), error).await);
            }
        };
        let instruction = instruction(api, &again, status, patience, progress).await?;
        let Again { id, page_url, link_key, segments, ledger, .. } = again;
        Ok(Self { id, page_url, link_key, segments, ledger, instruction, already: already(status) })
    }
}

/// Where to send the rest, as the service says it now.
async fn instruction(
    api: &Api,
    again: &Again,
    status: &UploadStatus,
    patience: &mut RetryPolicy,
    progress: &Arc<dyn Progress>,
) -> Result<UploadInstruction, ClientError> {
    let through_the_service = || again.bytes_url.clone().map(|url| UploadInstruction::Bytes { url });
    if (status.status != Status::Pending || status.kind == Some(UploadKind::Bytes))
        && let Some(bytes) = through_the_service()
    {
        return Ok(bytes);
    }
    // One part tells how it is divided; the others are asked for when their turn comes.
    let numbers: &[u32] = if PartPlan::of(status.size_bytes).is_some() { &[1] } else { &[] };
    match patience.call(&**progress, || api.upload_urls(again.id, numbers)).await {
        Err(error) if error.code() == Some(ErrorCode::WrongMode) => through_the_service().ok_or(error),
        instruction => instruction,
    }
}

fn already(status: &UploadStatus) -> Already {
    let flow = if status.kind == Some(UploadKind::Bytes) { Flow::Bytes } else { Flow::Presigned };
    Already {
        bytes: if flow == Flow::Bytes { status.received_bytes } else { 0 },
        parts: status.parts_received.clone().unwrap_or_default(),
        whole: (status.status != Status::Pending).then_some(flow),
    }
}

/// Where the state of an upload of so many sealed bytes is kept, if anywhere.
fn state_directory(sealed: u64, place: StatePlace) -> Result<Option<(PathBuf, Sha256)>, UploadError> {
    match place {
        _ if sealed <= IN_MEMORY_BYTES => Ok(None),
        StatePlace::Nowhere => Ok(None),
        StatePlace::Missing => Err(UploadError::NoStateDirectory),
        StatePlace::Directory { uploads, command } => Ok(Some((uploads, command))),
    }
}

/// Draws the key and prepares the segments. Blocks: a passphrase is stretched.
fn seal_key(upload: Upload) -> Result<(LinkKey, PayloadKey, Segments, StatePlace), UploadError> {
    let link_key = match upload.passphrase {
        None => LinkKey::random(),
        Some(_) => LinkKey::random_with_passphrase(),
    };
    let key = link_key.payload_key(upload.passphrase.as_ref()).expect("the key's kind is chosen by the passphrase");
    let segments = Segments::new(upload.source, &upload.metadata, &key)?;
    Ok((link_key, key, segments, upload.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_uploads_need_no_directory() {
        let directory = || StatePlace::Directory { uploads: PathBuf::from("/state"), command: Sha256::of(b"") };
        assert!(matches!(state_directory(IN_MEMORY_BYTES, StatePlace::Missing), Ok(None)));
        assert!(matches!(state_directory(IN_MEMORY_BYTES, directory()), Ok(None)));
        assert!(matches!(state_directory(IN_MEMORY_BYTES + 1, directory()), Ok(Some(_))));
        assert!(matches!(state_directory(IN_MEMORY_BYTES + 1, StatePlace::Nowhere), Ok(None)));
        assert!(matches!(
            state_directory(IN_MEMORY_BYTES + 1, StatePlace::Missing),
            Err(UploadError::NoStateDirectory)
        ));
    }
}
