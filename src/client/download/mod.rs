//! The download engine: fetches a payload, whatever happens to the connection, and opens it as it arrives.

mod fetch;
mod kept_grant;
mod ranges;
mod receiving;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

pub use self::kept_grant::KeptGrant;
use self::receiving::Receiving;
use super::unpack::Watch;
use super::unseal::{Choose, UnsealError, Unsealed, Unsealing};
use super::{Api, ClientError, FlowChoice, Patience, Progress};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::key::PayloadKey;
use crate::domain::proof::{AccessProof, Grant};
use crate::domain::sealed::{ImpossibleSize, Layout, OpenError};
use crate::domain::transfer::Status;
use crate::domain::wire::{ClientEventKind, Flow, TransferStatus};

/// How many pieces of a payload wait to be opened. They are a few hundred KiB at most.
const PIECES_AHEAD: usize = 4;
/// How long telling the server how it went may take.
const EVENT_TIMEOUT: Duration = Duration::from_secs(3);

/// What [`check`] has found, and what is wanted of it.
pub struct Download {
    /// The transfer's state.
    pub status: TransferStatus,
    /// The key that opens its payload.
    pub key: PayloadKey,
    /// Where the content goes.
    pub choose: Choose,
    /// Which way the payload may come.
    pub flow: FlowChoice,
}

/// A download that is done.
#[derive(Clone, Debug)]
pub struct Downloaded {
    /// What it was opened to.
    pub unsealed: Unsealed,
    /// Which way the payload came; of two ways, the last.
    pub flow: Flow,
}

/// A download that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// A call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The transfer cannot be downloaded any more.
    #[error("{}", match .0 {
        Status::Expired => "this transfer has expired",
        Status::Exhausted => "every download of this transfer was used",
        _ => "this transfer was deleted",
    })]
    Gone(Status),
    /// The sender has not finished.
    #[error("the upload of this transfer is not complete")]
    NotComplete,
    /// The server holds a proof that this key does not make.
    #[error("the key or the passphrase is wrong")]
    WrongKey,
    /// The payload is none.
    #[error(transparent)]
    Size(#[from] ImpossibleSize),
    /// The server answers another range than was asked for.
    #[error("the server sends another part of the payload than was asked for")]
    OtherRange,
    /// The payload does not open.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
}

/// Asks for the state of a transfer, and refuses what cannot be downloaded. Counts nothing.
///
/// A grant of an earlier try also opens a transfer whose downloads are used: one of them was that try.
pub async fn check(
    api: &Api,
    id: TransferId,
    flow: FlowChoice,
    kept: &KeptGrant,
) -> Result<TransferStatus, DownloadError> {
    let status = match api.status(id).await {
        // A connection that broke says nothing yet; a server that is not there is told at once.
        Err(ClientError::Broken { .. }) => api.status(id).await,
        status => status,
    };
    let status = status.inspect_err(|error| {
        if error.code() == Some(ErrorCode::TransferNotFound) {
            kept.forget();
        }
    })?;
    match status.status {
        Status::Pending => return Err(DownloadError::NotComplete),
        Status::Completed => {}
        Status::Exhausted if kept.load().is_some() => {}
        gone @ (Status::Expired | Status::Exhausted | Status::Deleted) => {
            kept.forget();
            return Err(DownloadError::Gone(gone));
        }
    }
    Layout::of_sealed(status.size_bytes)?;
    flow.check(status.mode.download, api.origin())?;
    Ok(status)
}

/// Downloads what [`check`] has found, and opens it with `key`.
pub async fn run(
    api: &Api,
    download: Download,
    kept: &KeptGrant,
    mut patience: Patience,
    progress: Arc<dyn Progress>,
) -> Result<Downloaded, DownloadError> {
    let Download { status, key, choose, flow } = download;
    let id = status.transfer_id;
    let proof = status.access_proof.then(|| AccessProof::of(&key));
    let earlier = kept.load();
    if let (Some(proof), None) = (&proof, &earlier) {
        // A wrong key shall not use up a download.
        patience.call(&*progress, || api.check_access(id, proof)).await.map_err(of_access)?;
    }
    let mut grant = earlier.unwrap_or_else(Grant::random);
    // Before it is counted. Where it cannot be kept, another try is another download, and nothing else is lost.
    let _ = kept.keep(&grant);
    let mut answer = patience.call(&*progress, || api.begin_download(id, &grant, proof.as_ref())).await;
    if answer.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::GrantExpired)) {
        grant = Grant::random();
        let _ = kept.keep(&grant);
        answer = patience.call(&*progress, || api.begin_download(id, &grant, proof.as_ref())).await;
    }
    let answer = answer.map_err(of_access).inspect_err(|error| {
        if error.is_final() {
            kept.forget();
        }
    })?;
    patience.progressed();
    let layout = Layout::of_sealed(answer.size_bytes)?;
    progress.begin(layout.sealed_size());
    let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
    // Unpacking ends with this future.
    let (watch, _stop) = Watch::new(progress.clone());
    let mut unsealing = Unsealing::of_layout(key, layout, choose).watched(watch);
    let opening = spawn_blocking(move || {
        while let Some(piece) = arriving.blocking_recv() {
            let piece: bytes::Bytes = piece;
            unsealing.feed(&piece)?;
        }
        unsealing.finish()
    });
    let receiving = Receiving { api, id, grant: grant.clone(), proof, progress: progress.clone() };
    let fetched = receiving.run(&answer, flow, pieces, patience).await;
    let opened = opening.await.expect("opening does not panic");
    progress.end();
    let outcome = fetched.and_then(|flow| Ok(Downloaded { unsealed: opened?, flow }));
    let event = match &outcome {
        Ok(_) => Some(ClientEventKind::DecryptSucceeded),
        Err(DownloadError::Unseal(UnsealError::Open(_) | UnsealError::Envelope(_))) => {
            Some(ClientEventKind::DecryptFailed)
        }
        Err(_) => None,
    };
    if outcome.as_ref().map_or_else(DownloadError::is_final, |_| true) {
        kept.forget();
    }
    if let Some(event) = event {
        // A claim for the sender's eyes: nothing depends on it.
        let _ = tokio::time::timeout(EVENT_TIMEOUT, api.add_event(id, event, &grant)).await;
    }
    outcome
}

/// Sorts refusals that are about the key or the transfer's end. Those of a HEAD come without words.
fn of_access(error: ClientError) -> DownloadError {
    match (error.code(), &error) {
        (Some(ErrorCode::AccessInvalid | ErrorCode::AccessRequired), _) => DownloadError::WrongKey,
        (Some(ErrorCode::TransferExpired), _) => DownloadError::Gone(Status::Expired),
        (Some(ErrorCode::TransferExhausted), _) => DownloadError::Gone(Status::Exhausted),
        (Some(ErrorCode::TransferDeleted), _) => DownloadError::Gone(Status::Deleted),
        (None, ClientError::Api(refusal)) if matches!(refusal.status, 401 | 403) => DownloadError::WrongKey,
        _ => error.into(),
    }
}

impl DownloadError {
    /// Whether the transfer is not there any more.
    fn is_final(&self) -> bool {
        match self {
            Self::Gone(_) => true,
            Self::Client(error) => error.code() == Some(ErrorCode::TransferNotFound),
            _ => false,
        }
    }

    /// Whether the first segment did not open: of all causes, a wrong key is the likeliest.
    #[must_use]
    pub const fn is_wrong_key(&self) -> bool {
        matches!(self, Self::WrongKey | Self::Unseal(UnsealError::Open(OpenError::Unauthentic { index: 0 })))
    }
}
