//! Start of an upload: creates a transfer, or resumes the transfer of an earlier process.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::completion::{PendingSignature, digests_of};
use super::driver::AlreadyReceived;
use super::error::UnsavedState;
use super::journal::Journal;
use super::segments::Segments;
use super::state::{UploadState, state_directory};
use super::unfinished::{Resumed, UnfinishedUpload};
use super::{StateFileLocation, Upload, UploadError, clean_up};
use crate::client::pack::Plan;
use crate::client::{Api, ClientError, LinkTerms, NewLink, Progress, RetryPolicy};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::info::{ContentInfo, SealedInfo};
use crate::domain::crypto::key::{LinkKey, PayloadKey};
use crate::domain::crypto::proof::AccessProof;
use crate::domain::crypto::random;
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::notification::NotificationChoice;
use crate::domain::people::recipient_keys::{KeysBlob, encode_payload_key, wrap};
use crate::domain::transfer::{PartPlan, Status, UploadKind};
use crate::domain::wire::{CreateTransfer, CreatedTransfer, Flow, OwnLinkChoice, UploadInstruction, UploadStatus};

/// Upload session: a transfer that is ready to receive its payload.
pub(super) struct UploadSession {
    pub id: TransferId,
    pub page_url: String,
    pub link_key: LinkKey,
    pub links: Vec<NewLink>,
    pub segments: Segments,
    pub info: SealedInfo,
    pub keys: Option<KeysBlob>,
    pub signature: Option<PendingSignature>,
    pub journal: Journal,
    pub instruction: UploadInstruction,
    pub already: AlreadyReceived,
}

impl UploadSession {
    /// Resumes the unfinished upload, if `upload` has one, or starts a new upload.
    pub(super) async fn of(
        api: &Api,
        mut upload: Upload,
        retry: &mut RetryPolicy,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, UploadError> {
        let Some(unfinished) = upload.unfinished.take() else {
            return Self::create(api, upload, retry, progress).await;
        };
        let id = unfinished.id;
        match retry.call(&**progress, || api.upload_status(id)).await {
            Ok(status) if matches!(status.status, Status::Pending | Status::Completed | Status::Exhausted) => {
                let resumed = Self::resume(api, upload, *unfinished, &status, (retry, progress)).await;
                resumed.map_err(|error| error.or_unfinished(id))
            }
            Err(error) if error.code() != Some(ErrorCode::TransferNotFound) => {
                Err(UploadError::from(error).or_unfinished(id))
            }
            Ok(_) | Err(_) => {
                // The new transfer gets the same passphrase: one that was mistyped would open it for nobody.
                let passphrase = upload.passphrase.take();
                let check = move || (unfinished.payload_key(passphrase.as_ref()).map(drop), unfinished, passphrase);
                let (checked, unfinished, passphrase) =
                    spawn_blocking(check).await.expect("deriving a key does not panic");
                checked?;
                upload.passphrase = passphrase;
                unfinished.remove();
                progress.restarting(id);
                Self::create(api, upload, retry, progress).await
            }
        }
    }

    /// Creates a transfer and its state file.
    async fn create(
        api: &Api,
        upload: Upload,
        retry: &mut RetryPolicy,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, UploadError> {
        let (expires, max_downloads, padding) = (upload.expires, upload.max_downloads, upload.padding);
        let notify = upload.notify;
        // The receiver of a notification learns the id, which must not be enough for a download. Without a choice, that of
        // the token holds, which may ask for notifications, and so may the operator's webhook.
        let is_notified = notify != Some(NotificationChoice::Never);
        let access_from_passphrase = upload.passphrase.is_some();
        let has_links = !upload.links.is_empty();
        let is_for_request = upload.request.is_some();
        // An id alone gives nobody what the sender restricts.
        let is_restricted = max_downloads.is_some()
            || access_from_passphrase
            || upload.message.is_some()
            || has_links
            || is_for_request
            || !upload.recipients.is_empty()
            || upload.signer.is_some();
        let needs_proof = is_restricted || is_notified;
        let PreparedUpload { link_key, key, links, segments, info, keys, signature, location } =
            spawn_blocking(move || PreparedUpload::of(upload)).await.expect("deriving a key does not panic")?;
        let request = CreateTransfer {
            own_link: if has_links { OwnLinkChoice::Closed } else { OwnLinkChoice::Open },
            size_bytes: segments.layout().sealed_size(),
            expires_in_s: expires.map(|expires| expires.as_secs()),
            // The limit holds for each further link.
            max_downloads: max_downloads.filter(|_| !has_links),
            access_sha256: needs_proof.then(|| AccessProof::of(&key).digest()),
            access_from_passphrase,
            idempotency_key: Some(Sha256::of(&random::bytes::<32>()).to_string()),
            notify,
        };
        let created = retry.call(&**progress, || api.create(&request)).await?;
        progress.step(format_args!(
            "transfer {} is created, encrypted size {} bytes",
            created.transfer_id, request.size_bytes
        ));
        let journal = match state_directory(request.size_bytes, location) {
            Ok(None) => Journal::new(None),
            Ok(Some((uploads, command))) => {
                let server = api.base_url().to_string();
                let state = UploadState::of(
                    (command, server),
                    &created,
                    (&segments, padding, &info),
                    (keys.as_ref(), signature.as_ref()),
                    (&link_key, &key, &links),
                    api.guest(),
                );
                Self::journal(uploads, state, segments.layout().segments(), progress).await
            }
            Err(unsaved) => {
                progress.unresumable(&unsaved);
                Journal::new(None)
            }
        };
        let CreatedTransfer { transfer_id: id, page_url, upload: instruction, .. } = created;
        let already = AlreadyReceived::default();
        Ok(Self { id, page_url, link_key, links, segments, info, keys, signature, journal, instruction, already })
    }

    /// Creates a journal with a state file; in memory only if the file cannot be written.
    async fn journal(uploads: PathBuf, state: UploadState, segments: u64, progress: &Arc<dyn Progress>) -> Journal {
        let create = move || state.create_in(&uploads, segments);
        match spawn_blocking(create).await.expect("writing a file does not panic") {
            Ok(file) => Journal::new(Some(file)),
            Err(error) => {
                progress.unresumable(&UnsavedState::Write(error));
                Journal::new(None)
            }
        }
    }

    /// Resumes the upload of an earlier process.
    async fn resume(
        api: &Api,
        mut upload: Upload,
        unfinished: UnfinishedUpload,
        status: &UploadStatus,
        (retry, progress): (&mut RetryPolicy, &Arc<dyn Progress>),
    ) -> Result<Self, UploadError> {
        let id = unfinished.id;
        let passphrase = upload.passphrase.take();
        let (source, signer) = (upload.source, upload.signer.take());
        let check = move || {
            let signature = unfinished.signature(signer, passphrase.as_ref());
            (
                signature.and_then(|signature| Ok((unfinished.check(source, passphrase.as_ref())?, signature))),
                unfinished,
            )
        };
        let (checked, unfinished) = spawn_blocking(check).await.expect("sealing does not panic");
        let resumed = match checked {
            Ok((segments, signature)) => {
                progress.step(format_args!("resuming transfer {id}: the source matches the segments already sent"));
                unfinished.resume(segments, signature)
            }
            // The right passphrase or a readable disk may let a later attempt succeed.
            Err(error) if !error.is_changed() => return Err(error),
            Err(error) => {
                unfinished.remove();
                return Err(clean_up(api, id, &Journal::new(None), error).await);
            }
        };
        let instruction = instruction(api, &resumed, status, retry, progress).await?;
        let Resumed { id, page_url, link_key, links, segments, info, keys, signature, journal, .. } = resumed;
        let already = already(status);
        Ok(Self { id, page_url, link_key, links, segments, info, keys, signature, journal, instruction, already })
    }
}

/// Asks the service how to send the rest of the payload.
async fn instruction(
    api: &Api,
    resumed: &Resumed,
    status: &UploadStatus,
    retry: &mut RetryPolicy,
    progress: &Arc<dyn Progress>,
) -> Result<UploadInstruction, ClientError> {
    let bytes_instruction = || resumed.bytes_url.clone().map(|url| UploadInstruction::Bytes { url });
    if (status.status != Status::Pending || status.kind == Some(UploadKind::Bytes))
        && let Some(bytes) = bytes_instruction()
    {
        return Ok(bytes);
    }
    // The URL of part 1 comes with the part layout; the other URLs are requested as they are needed.
    let numbers: &[u32] = if PartPlan::of(status.size_bytes).is_some() { &[1] } else { &[] };
    match retry.call(&**progress, || api.upload_urls(resumed.id, numbers)).await {
        Err(error) if error.code() == Some(ErrorCode::WrongMode) => bytes_instruction().ok_or(error),
        instruction => instruction,
    }
}

fn already(status: &UploadStatus) -> AlreadyReceived {
    let flow = if status.kind == Some(UploadKind::Bytes) { Flow::Bytes } else { Flow::Presigned };
    AlreadyReceived {
        bytes: if flow == Flow::Bytes { status.received_bytes } else { 0 },
        parts: status.parts_received.clone().unwrap_or_default(),
        complete_by: (status.status != Status::Pending).then_some(flow),
    }
}

/// Keys and payload of a new upload, before its transfer exists.
struct PreparedUpload {
    link_key: LinkKey,
    key: PayloadKey,
    links: Vec<NewLink>,
    segments: Segments,
    info: SealedInfo,
    keys: Option<KeysBlob>,
    signature: Option<PendingSignature>,
    location: StateFileLocation,
}

impl PreparedUpload {
    /// Generates the key, and prepares segments and info block. Blocks, because a passphrase goes through a slow key
    /// derivation.
    fn of(upload: Upload) -> Result<Self, UploadError> {
        let link_key = match upload.passphrase {
            None => LinkKey::random(),
            Some(_) => LinkKey::random_with_passphrase(),
        };
        let secret = link_key.unlock(upload.passphrase.as_ref()).expect("the key's kind matches the passphrase");
        let key = secret.into_own().expect("the key is that of an own link");
        let terms = LinkTerms { expires: upload.expires, max_downloads: upload.max_downloads };
        let new_link = |name| NewLink::new(&key, name, upload.passphrase.as_ref(), terms);
        let links = upload.links.into_iter().map(new_link).collect();
        let archive = upload.source.plan().map(Plan::info);
        let info = ContentInfo::of(&upload.metadata, archive, upload.message).seal(&key);
        let segments = Segments::new(upload.source, &upload.metadata, upload.padding, &key)?;
        let (keys, recipients) = match upload.request {
            Some(request) => (Some(request.wrap(&key)), vec![request.recipient]),
            None if upload.recipients.is_empty() => (None, Vec::new()),
            None => (Some(wrap(encode_payload_key(&key).as_bytes(), &upload.recipients)?), upload.recipients),
        };
        let signature = upload.signer.map(|signer| PendingSignature {
            signer,
            recipients: digests_of(&recipients),
            signed_at: SystemClock.now(),
            key: key.clone(),
        });
        let segments = if signature.is_some() { segments.hashed() } else { segments };
        Ok(Self { link_key, key, links, segments, info, keys, signature, location: upload.state })
    }
}
