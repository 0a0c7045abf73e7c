//! The upload engine: seals a file and sends it, in constant memory and whatever happens to the connection.

mod body;
mod by_service;
mod by_store;
mod driver;
mod error;
mod journal;
mod pipeline;
mod plan;
mod progress;
mod request;
mod segments;
mod session;
mod source;
mod state;
mod unfinished;
mod urls;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use error::{Left, UploadError};
pub use journal::LedgerError;
pub use segments::Unsealable;
pub use source::{Mark, Source, SourceError, Watched};
pub use state::UploadState;
pub use unfinished::{Earlier, Unfinished};

use self::driver::{Already, Sending};
use self::journal::Ledger;
use self::progress::Through;
use self::request::Payload;
use self::session::Begun;
use super::{Api, FlowChoice, Interrupt, Progress, RetryPolicy};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::envelope::Metadata;
use crate::domain::crypto::key::LinkKey;
use crate::domain::crypto::passphrase::Passphrase;
use crate::domain::id::TransferId;
use crate::domain::limits::MAX_DOWNLOADS;
use crate::domain::link::Link;
use crate::domain::wire::{CompletedTransfer, Flow, Health};

/// How long an upload that ends early tries to delete what it has begun.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// What to send, and how.
pub struct Upload {
    /// The file.
    pub source: Source,
    /// Its name and what else recipients learn. `size` is the source's.
    pub metadata: Metadata,
    /// What the link's key does not open alone.
    pub passphrase: Option<Passphrase>,
    /// How long the transfer lives; the server's default if `None`.
    pub expires: Option<Duration>,
    /// How many downloads it allows; any number if `None`.
    pub max_downloads: Option<u32>,
    /// Where its state is kept if it is larger than 8 MiB; smaller ones do without.
    pub state: StatePlace,
    /// What to go on with.
    pub unfinished: Option<Box<Unfinished>>,
    /// Which way it may go.
    pub flow: FlowChoice,
}

/// Where the state of a large upload is kept while it runs, so that another process can go on with it.
pub enum StatePlace {
    /// In this directory, as the state of this command.
    Directory {
        /// Which.
        uploads: PathBuf,
        /// What tells the command from others.
        command: Sha256,
    },
    /// Nowhere: nobody shall go on with it.
    Nowhere,
    /// This user has no directory for it.
    Missing,
}

/// An upload that is done.
pub struct Uploaded {
    /// The link, with its key.
    pub link: Link,
    /// The transfer, and what the server stored about its sender.
    pub completed: CompletedTransfer,
    /// Which way the payload went.
    pub flow: Flow,
    /// Bytes of content.
    pub content_bytes: u64,
    /// An address that the server names for its links and that was not taken: what goes there can be read on the way.
    pub refused_root: Option<BaseUrl>,
}

/// Checks `upload` against what the server of `api` accepts, before anything is created.
pub fn check(api: &Api, upload: &Upload, health: &Health) -> Result<(), UploadError> {
    upload.flow.check(health.mode.upload, api.origin())?;
    let (size, limit) = (upload.source.size(), health.limits.max_content_bytes);
    if size > limit {
        let name = upload.metadata.filename.clone();
        return Err(UploadError::TooLarge { name, size: Some(size), limit });
    }
    let lifetimes = health.limits.expires_in_s;
    if upload.expires.is_some_and(|expires| !(lifetimes.min..=lifetimes.max).contains(&expires.as_secs())) {
        let (min, max) = (Duration::from_secs(lifetimes.min), Duration::from_secs(lifetimes.max));
        return Err(UploadError::Lifetime { min, max });
    }
    if upload.max_downloads.is_some_and(|downloads| !(1..=MAX_DOWNLOADS).contains(&downloads)) {
        return Err(UploadError::Downloads);
    }
    Ok(())
}

/// Uploads, after [`check`].
pub async fn run(
    api: &Api,
    upload: Upload,
    mut patience: RetryPolicy,
    progress: Arc<dyn Progress>,
    mut interrupt: Interrupt,
) -> Result<Uploaded, UploadError> {
    let content_bytes = upload.source.size();
    let flow = upload.flow;
    let earlier = upload.unfinished.as_ref().map(|unfinished| unfinished.id());
    let begun = tokio::select! {
        begun = Box::pin(Begun::of(api, upload, &mut patience, &progress)) => begun?,
        signal = interrupt.raised() => {
            let left = earlier.map_or(Left::Perhaps, Left::Resumable);
            return Err(UploadError::Interrupted { signal, left });
        }
    };
    patience.progressed();
    let Begun { id, page_url, link_key, segments, ledger, instruction, already } = begun;
    let (segments, ledger) = (Arc::new(segments), Arc::new(ledger));
    progress.begin(segments.layout().sealed_size());
    let payload = Payload {
        segments: segments.clone(),
        ledger: ledger.clone(),
        through: Arc::new(Through::of(segments, progress.clone())),
        has_moved: Arc::new(AtomicBool::new(already != Already::default())),
    };
    let has_moved = payload.has_moved.clone();
    let sending = Sending { api: api.clone(), id, payload, patience, progress: progress.clone() };
    let outcome = tokio::select! {
        outcome = Box::pin(sending.run(instruction, flow, already)) => outcome,
        signal = interrupt.raised() => Err(UploadError::Interrupted { signal, left: Left::Perhaps }),
    };
    progress.end();
    let error = match outcome {
        Ok((completed, flow)) => {
            ledger.remove();
            progress.step(format_args!("transfer {id} is complete"));
            let (link, refused_root) = link(api.root(), id, &page_url, link_key);
            return Ok(Uploaded { link, completed, flow, content_bytes, refused_root });
        }
        Err(error) => error,
    };
    if !ledger.outlives_us() {
        return Err(ended(api, id, &ledger, error).await);
    }
    let error = if has_moved.load(Ordering::Relaxed) { error.or_unfinished(id) } else { error };
    match error {
        UploadError::Interrupted { signal, .. } => Err(UploadError::Interrupted { signal, left: Left::Resumable(id) }),
        error if error.is_unread() || matches!(error, UploadError::Unfinished { .. }) => Err(error),
        error => Err(ended(api, id, &ledger, error).await),
    }
}

/// Ends an upload that nobody can go on with.
async fn ended(api: &Api, id: TransferId, ledger: &Ledger, error: UploadError) -> UploadError {
    let deleted = tokio::time::timeout(CLEAN_UP, api.delete(id)).await;
    ledger.remove();
    match error {
        UploadError::Interrupted { signal, .. } => {
            let left = if matches!(deleted, Ok(Ok(_))) { Left::Nothing } else { Left::Perhaps };
            UploadError::Interrupted { signal, left }
        }
        other => other,
    }
}

/// The link to a transfer: at the server's own public address where it names a fit one, else where it was `reached`.
/// An address that lets others read along, where we did not, is given back instead.
fn link(reached: &BaseUrl, id: TransferId, page_url: &str, key: LinkKey) -> (Link, Option<BaseUrl>) {
    let named = page_url.parse::<Link>().ok().filter(|link| link.transfer_id == id);
    let named = named.map_or_else(|| reached.clone(), |link| link.root);
    let unfit = named.is_plain_http_beyond_loopback() && !reached.is_plain_http_beyond_loopback();
    let (root, refused) = if unfit { (reached.clone(), Some(named)) } else { (named, None) };
    (Link { root, transfer_id: id, key: Some(key) }, refused)
}
