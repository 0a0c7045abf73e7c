//! Download engine: receives a payload with retries, and decrypts the payload while it arrives.

mod archive;
mod begin;
mod error;
mod fetch;
mod grant_file;
mod ranges;
mod receiving;
mod sender;
mod wanted;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

pub use self::archive::{Listing, Selected, list, run_selected};
use self::begin::{GrantedDownload, StartedDownload, describe, start};
pub use self::error::DownloadError;
use self::error::access_error;
pub(in crate::client) use self::grant_file::remove_stale;
pub use self::grant_file::{EarlierGrant, GrantFile};
use self::ranges::RANGE;
use self::receiving::Receiving;
pub use self::sender::{RequiredSignature, SenderOptions};
use self::wanted::WantedRanges;
use super::unpack::Watch;
use super::{Api, FlowChoice, Interrupt, Progress, RetryPolicy, Signal};
use crate::client::decrypt::{ChooseOutput, DecryptError, Decrypted, OutputError};
use crate::domain::crypto::envelope::Metadata;
use crate::domain::crypto::info::ContentInfo;
use crate::domain::crypto::key::LinkSecret;
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::crypto::sealed::Layout;
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;
use crate::domain::wire::{ClientEventKind, DownloadResponse, Flow, LinkStatus, TransferStatus};

/// Maximum number of received pieces that wait for decryption, each a few hundred KiB at most.
const PIECES_AHEAD: usize = 4;
/// Timeout for reporting the outcome to the server.
const EVENT_TIMEOUT: Duration = Duration::from_secs(3);

/// Parameters of a download, with the status that [`check`] has returned.
pub struct Download {
    /// The transfer's status.
    pub status: TransferStatus,
    /// The secret of the link.
    pub secret: LinkSecret,
    /// Chooses the output of the content.
    pub choose: ChooseOutput,
    /// Allowed data path of the payload.
    pub flow: FlowChoice,
    /// Resumes from a partial download, if there is one.
    pub resume: bool,
    /// Maximum content size in bytes, if the caller has one. Checked before the download is counted if the sender says
    /// the size, and before anything is written.
    pub max_size: Option<u64>,
    /// Options for the check of the sender's signature.
    pub sender: SenderOptions,
}

/// Completed download.
#[derive(Clone, Debug)]
pub struct Downloaded {
    /// The decrypted output.
    pub decrypted: Decrypted,
    /// Data path of the payload; the last path used if the download changed paths.
    pub flow: Flow,
    /// The sender's description of the content, if the content differs.
    pub wrong_info: Option<ContentInfo>,
}

/// Checks that a transfer can be downloaded, and returns its status. Counts no download.
///
/// Under a further link, the response has no size and [`check_with_proof`] must follow. A saved grant also gives access
/// after the download limit is reached: the earlier attempt was counted.
pub async fn check(
    api: &Api,
    id: TransferId,
    flow: FlowChoice,
    grant_file: &GrantFile,
    (retry, progress): (&RetryPolicy, &dyn Progress),
) -> Result<LinkStatus, DownloadError> {
    let status = retry.first_call(progress, || api.status(id, None)).await.inspect_err(|error| {
        if error.code() == Some(ErrorCode::TransferNotFound) {
            grant_file.forget();
        }
    });
    let status = status.map_err(|error| DownloadError::from(error).or_unfinished(grant_file))?;
    check_state(status.state(), grant_file)?;
    if let LinkStatus::Full(status) = &status {
        check_payload(status, flow, api)?;
    }
    Ok(status)
}

/// Checks that a further link can be downloaded, and returns its status. Counts no download.
pub async fn check_with_proof(
    api: &Api,
    id: TransferId,
    flow: FlowChoice,
    grant_file: &GrantFile,
    (proof, retry, progress): (&AccessProof, &RetryPolicy, &dyn Progress),
) -> Result<TransferStatus, DownloadError> {
    let status = retry.first_call(progress, || api.status_with_info(id, proof)).await;
    let status = status.map_err(|error| access_error(error).or_unfinished(grant_file))?;
    check_state(status.status, grant_file)?;
    check_payload(&status, flow, api)?;
    Ok(status)
}

fn check_state(state: Status, grant_file: &GrantFile) -> Result<(), DownloadError> {
    match state {
        Status::Pending => Err(DownloadError::NotComplete),
        Status::Completed => Ok(()),
        Status::Exhausted if grant_file.load().is_some() => Ok(()),
        ended @ (Status::Expired | Status::Exhausted | Status::Deleted | Status::Closed) => {
            grant_file.forget();
            Err(DownloadError::Gone(ended))
        }
    }
}

fn check_payload(status: &TransferStatus, flow: FlowChoice, api: &Api) -> Result<(), DownloadError> {
    Layout::of_sealed(status.size_bytes)?;
    Ok(flow.check(status.mode.download, api.origin())?)
}

/// Downloads the transfer after [`check`], and decrypts its payload.
pub async fn run(
    api: &Api,
    download: Download,
    grant_file: &GrantFile,
    retry: RetryPolicy,
    progress: Arc<dyn Progress>,
    mut interrupt: Interrupt,
) -> Result<Downloaded, DownloadError> {
    let (flow, id) = (download.flow, download.status.transfer_id);
    let choose = within(download.max_size, beginning(&progress, download.status.size_bytes, download.choose));
    let download = Download { choose, ..download };
    let (started, decryption) = tokio::select! {
        biased;
        signal = interrupt.raised() => {
            let resumable = grant_file.has_partial();
            return Err(DownloadError::Interrupted { signal, resumable, free_retry_until: None });
        }
        started = Box::pin(start(api, download, grant_file, retry, &progress)) => {
            started.map_err(|error| error.or_unfinished(grant_file))?
        }
    };
    let StartedDownload { counted, offset } = started;
    let GrantedDownload { grant, proof, info, response, retry, .. } = counted;
    progress.step(format_args!("downloading transfer {id} from byte {offset} of {}", response.size_bytes));
    progress.transferred(offset);
    let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
    // Dropping this future stops the extraction of an archive.
    let (watch, stop) = Watch::new(progress.clone());
    let mut decryption = decryption.watched(watch);
    let mut decrypting = spawn_blocking(move || {
        while let Some(piece) = arriving.blocking_recv() {
            let piece: bytes::Bytes = piece;
            decryption.feed(&piece)?;
        }
        decryption.finish()
    });
    let receiving = Receiving {
        api,
        id,
        grant: grant.clone(),
        proof,
        progress: progress.clone(),
        step: RANGE,
        url: OnceLock::new(),
    };
    let wanted = WantedRanges::from(offset, response.size_bytes);
    let interrupted = |signal| DownloadError::Interrupted { signal, resumable: false, free_retry_until: None };
    let received = tokio::select! {
        biased;
        // The channel closes, so the decrypter ends and keeps the partial output.
        signal = interrupt.raised() => Err(interrupted(signal)),
        received = Box::pin(receiving.run(&response, flow, wanted, pieces, retry)) => received,
    };
    // All bytes have arrived; an archive may still be extracted, or the user may be choosing the output.
    let (decrypted, received) = tokio::select! {
        biased;
        signal = interrupt.raised() => {
            drop(stop);
            (decrypting.await, received.and(Err(interrupted(signal))))
        }
        decrypted = &mut decrypting => (decrypted, received),
    };
    let decrypted = decrypted.expect("decryption does not panic");
    progress.end();
    let outcome = match (received, decrypted) {
        (Ok(flow), decrypted) => decrypted
            .map(|decrypted| Downloaded { wrong_info: differing(info, decrypted.metadata.as_ref()), decrypted, flow })
            .map_err(|error| decryption_error(error, grant_file, &response)),
        // The payload was complete before the error.
        (Err(_), Ok(decrypted)) => {
            Ok(Downloaded { wrong_info: differing(info, decrypted.metadata.as_ref()), decrypted, flow: response.mode })
        }
        (Err(DownloadError::Interrupted { signal, .. }), Err(_)) => Err(DownloadError::Interrupted {
            signal,
            resumable: grant_file.has_partial(),
            free_retry_until: free_retry_until(grant_file, &response),
        }),
        (Err(error), Err(_)) => {
            if error.is_final() {
                grant_file.discard_partial();
            }
            Err(error.or_unfinished(grant_file))
        }
    };
    let event = match &outcome {
        Ok(_) => Some(ClientEventKind::DecryptSucceeded),
        Err(error) => error.is_damage().then_some(ClientEventKind::DecryptFailed),
    };
    if outcome.as_ref().map_or_else(DownloadError::is_final, |_| true) {
        grant_file.forget();
    }
    if let Some(event) = event {
        report(api, id, event, &grant).await;
    }
    outcome
}

/// Reports the outcome to the server. Best effort: the event only informs the sender.
async fn report(api: &Api, id: TransferId, event: ClientEventKind, grant: &Grant) {
    let _ = tokio::time::timeout(EVENT_TIMEOUT, api.add_event(id, event, grant)).await;
}

/// Rejects content over `limit` before anything is written.
fn within(limit: Option<u64>, choose: ChooseOutput) -> ChooseOutput {
    let Some(limit) = limit else { return choose };
    Box::new(move |metadata| match metadata {
        Some(metadata) if metadata.size > limit => Err(OutputError::TooLarge { size: metadata.size, limit }),
        _ => choose(metadata),
    })
}

/// Returns `info` if the content has another name, size or kind.
fn differing(info: Option<ContentInfo>, metadata: Option<&Metadata>) -> Option<ContentInfo> {
    info.filter(|info| metadata.is_some_and(|metadata| !info.agrees_with(metadata)))
}

/// Begins the progress once the output is chosen, so that a question of `choose` comes first.
fn beginning(progress: &Arc<dyn Progress>, size_bytes: u64, choose: ChooseOutput) -> ChooseOutput {
    let progress = progress.clone();
    Box::new(move |metadata| choose(metadata).inspect(|_| progress.begin(size_bytes)))
}

/// Returns the time until which a retry does not count as another download. Returns `None` if the grant could not be
/// saved.
fn free_retry_until(grant_file: &GrantFile, response: &DownloadResponse) -> Option<Timestamp> {
    grant_file.load().map(|_| response.grant_expires_at)
}

/// Converts a decryption error of a counted download.
fn decryption_error(error: DecryptError, grant_file: &GrantFile, response: &DownloadResponse) -> DownloadError {
    match error {
        // The prompt and the download both watch for the signal; either may notice it first.
        DecryptError::Output(OutputError::Interrupted) => DownloadError::Interrupted {
            signal: Signal::Interrupt,
            resumable: grant_file.has_partial(),
            free_retry_until: free_retry_until(grant_file, response),
        },
        DecryptError::Output(error) => {
            DownloadError::OutputFailed { error, free_retry_until: free_retry_until(grant_file, response) }
        }
        other => other.into(),
    }
}
