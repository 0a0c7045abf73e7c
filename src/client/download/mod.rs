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
use super::{Api, ClientError, FlowChoice, Interrupt, Progress, RetryPolicy, Signal};
use crate::client::decrypt::{Choose, OutputError, UnsealError, Unsealed, Unsealing};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::crypto::sealed::{ImpossibleSize, Layout, OpenError};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;
use crate::domain::wire::{ClientEventKind, DownloadAnswer, Flow, TransferStatus};

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
    /// Whether to go on with what has come of it before.
    pub resume: bool,
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
    /// The payload cannot be put where it should go, and the download is counted.
    #[error("{error}")]
    NotPlaced {
        /// Why not.
        #[source]
        error: OutputError,
        /// Until when another process can take it without another download; none where its grant could not be kept.
        again_until: Option<Timestamp>,
    },
    /// A call failed after a part of the payload had come, and another process can go on.
    #[error(transparent)]
    Unfinished(ClientError),
    /// The process was asked to end.
    #[error("the download was interrupted")]
    Interrupted {
        /// How.
        signal: Signal,
        /// Whether another process can go on.
        resumable: bool,
    },
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
    });
    let status = status.map_err(|error| DownloadError::from(error).or_unfinished(kept))?;
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
    patience: RetryPolicy,
    progress: Arc<dyn Progress>,
    mut interrupt: Interrupt,
) -> Result<Downloaded, DownloadError> {
    let (flow, id) = (download.flow, download.status.transfer_id);
    let (started, unsealing) = tokio::select! {
        started = Box::pin(start(api, download, kept, patience, &progress)) => {
            started.map_err(|error| error.or_unfinished(kept))?
        }
        signal = interrupt.raised() => {
            return Err(DownloadError::Interrupted { signal, resumable: kept.has_partial() });
        }
    };
    let Started { grant, proof, answer, offset, patience } = started;
    progress.step(format_args!("transfer {id} is fetched from byte {offset} of {} on", answer.size_bytes));
    progress.begin(answer.size_bytes);
    progress.moved_to(offset);
    let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
    // Unpacking ends with this future.
    let (watch, stop) = Watch::new(progress.clone());
    let mut unsealing = unsealing.watched(watch);
    let mut opening = spawn_blocking(move || {
        while let Some(piece) = arriving.blocking_recv() {
            let piece: bytes::Bytes = piece;
            unsealing.feed(&piece)?;
        }
        unsealing.finish()
    });
    let receiving = Receiving { api, id, grant: grant.clone(), proof, progress: progress.clone() };
    let fetched = tokio::select! {
        fetched = Box::pin(receiving.run(&answer, flow, offset, pieces, patience)) => fetched,
        // Nothing more comes: whoever opens it leaves what there is.
        signal = interrupt.raised() => Err(DownloadError::Interrupted { signal, resumable: false }),
    };
    // An archive is unpacked now.
    let (opened, fetched) = tokio::select! {
        opened = &mut opening => (opened, fetched),
        signal = interrupt.raised() => {
            drop(stop);
            (opening.await, fetched.and(Err(DownloadError::Interrupted { signal, resumable: false })))
        }
    };
    let opened = opened.expect("opening does not panic");
    progress.end();
    let outcome = match (fetched, opened) {
        (Ok(flow), opened) => {
            opened.map(|unsealed| Downloaded { unsealed, flow }).map_err(|error| not_opened(error, kept, &answer))
        }
        // It was whole before that.
        (Err(_), Ok(unsealed)) => Ok(Downloaded { unsealed, flow: answer.mode }),
        (Err(DownloadError::Interrupted { signal, .. }), Err(_)) => {
            Err(DownloadError::Interrupted { signal, resumable: kept.has_partial() })
        }
        (Err(error), Err(_)) => {
            if error.is_final() {
                kept.discard_partial();
            }
            Err(error.or_unfinished(kept))
        }
    };
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

/// A download that is counted, and that bytes can come of.
struct Started {
    grant: Grant,
    proof: Option<AccessProof>,
    answer: DownloadAnswer,
    /// Where in the payload they begin.
    offset: u64,
    patience: RetryPolicy,
}

/// Counts the download, and looks for what has come of it before.
async fn start(
    api: &Api,
    download: Download,
    kept: &KeptGrant,
    mut patience: RetryPolicy,
    progress: &Arc<dyn Progress>,
) -> Result<(Started, Unsealing), DownloadError> {
    let Download { status, key, choose, resume, .. } = download;
    let id = status.transfer_id;
    let proof = status.access_proof.then(|| AccessProof::of(&key));
    let earlier = kept.load();
    if let (Some(proof), None) = (&proof, &earlier) {
        // A wrong key shall not use up a download.
        patience.call(&**progress, || api.check_access(id, proof)).await.map_err(of_access)?;
    }
    let mut grant = earlier.unwrap_or_else(Grant::random);
    // Before it is counted. Where it cannot be kept, another try is another download, and nothing else is lost.
    let _ = kept.keep(&grant);
    let mut answer = patience.call(&**progress, || api.begin_download(id, &grant, proof.as_ref())).await;
    if answer.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::GrantExpired)) {
        grant = Grant::random();
        let _ = kept.keep(&grant);
        answer = patience.call(&**progress, || api.begin_download(id, &grant, proof.as_ref())).await;
    }
    let answer = answer.map_err(of_access).inspect_err(|error| {
        if error.is_final() {
            kept.forget();
        }
    })?;
    patience.progressed();
    let layout = Layout::of_sealed(answer.size_bytes)?;
    let begin = {
        let place = kept.partial();
        move || match place {
            Some(place) if resume => Unsealing::resume(key, layout, choose, place),
            Some(place) => Ok((Unsealing::of_layout(key, layout, choose).keeping(layout, place), 0)),
            None => Ok((Unsealing::of_layout(key, layout, choose), 0)),
        }
    };
    let opening = spawn_blocking(begin).await.expect("opening does not panic");
    let (unsealing, offset) = opening.map_err(|error| not_opened(error, kept, &answer))?;
    Ok((Started { grant, proof, answer, offset, patience }, unsealing))
}

/// What it means that a payload does not open, whose download is counted.
fn not_opened(error: UnsealError, kept: &KeptGrant, answer: &DownloadAnswer) -> DownloadError {
    match error {
        UnsealError::Output(error) => {
            let again_until = kept.load().map(|_| answer.grant_expires_at);
            DownloadError::NotPlaced { error, again_until }
        }
        other => other.into(),
    }
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
    /// What it means where a part of the payload is there, and another process can go on with it.
    fn or_unfinished(self, kept: &KeptGrant) -> Self {
        match self {
            Self::Client(error) if error.is_worth_resuming() && kept.has_partial() => Self::Unfinished(error),
            other => other,
        }
    }

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
